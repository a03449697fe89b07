# How many are there?
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
counts_question='how many are there?'
counts_metrics='
calls calls less calls for one
names calls text which
'
counts_repeated=no
counts_milliseconds=20

counts_peers() {
    echo 'pollux 1'
    echo 'libev 4'
}

counts_trial() {
    printf '{%s,"workload":"counts","cell":"size=1","peer":"%s","version":"1","calls":2,"names":"a|b"}\n' \
        "$tag" "$peer"
}
