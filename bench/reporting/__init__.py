# SPDX-License-Identifier: MIT
"""How bench/report gets from lines of results to tables and pictures."""
