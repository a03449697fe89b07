# What does the short form leave out?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
rare_question='what does the short form leave out?'
rare_quick=no
rare_blocks=4
rare_metrics='
cpu_ns ns less processor time for one
'
rare_peers() { even_peers; }
rare_trial() { even_trial | sed 's/"workload":"even"/"workload":"rare"/'; }
