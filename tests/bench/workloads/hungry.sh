# Does anybody notice that the descriptors will not do?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
hungry_question='does anybody notice that the descriptors will not do?'
hungry_quick=no
hungry_descriptors=1000000
hungry_peers() { echo 'pollux 1'; }
hungry_trial() { return 1; }
