# Does anybody notice a tool that is not there?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
tools_question='does anybody notice a tool that is not there?'
tools_quick=no
tools_tools=no-such-tool
tools_peers() { echo 'pollux 1'; }
tools_trial() { return 1; }
