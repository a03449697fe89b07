# SPDX-License-Identifier: MIT
# table.awk: the work of `table`. It is given files, and before each the variable `what` they are:
# what=clauses, what=readme (a table from before, for the columns that did not run) or what=log.
# Errors go to the standard error and make the status 1.

function error(text) {
    print "table: " text >"/dev/stderr"
    failed = 1
}

# --- What is promised ---

function add_clause(words, field,    i, count, list) {
    clause[++clauses] = words
    promise[clauses] = field[2]
    count = split(field[3], list, " ")
    for (i = 1; i <= count; i++) {
        pattern[++patterns] = list[i]
        clause_of_pattern[patterns] = clauses
    }
}

function letter(i) {
    return substr("abcdefghijklmnopqrstuvwxyz", i, 1)
}

function add_skip(text, field, count,    i) {
    footnote[++skips] = text
    for (i = 2; i <= count; i++)
        letter_of_reason[field[i]] = letter(skips)
}

what == "clauses" && /^(clause|backend|skip) / {
    count = split($0, field, / *\| */)
    words = field[1]
    sub(/^[a-z]+ +/, "", words)
    if ($1 == "clause") {
        add_clause(words, field)
    } else if ($1 == "skip") {
        add_skip(words, field, count)
    } else {
        backend[++backends] = words
        note[words] = field[2]
    }
    next
}
what == "clauses" && !/^(#|$)/ { error("what is this in the clauses: " $0) }

# --- The table from before ---

what == "readme" && /^\| [A-Z]?[a-z0-9]+ \| / {
    split($0, field, / *\| */)
    for (i = 1; i <= backends; i++)
        before[field[2], backend[i]] = field[i + 3]
}

# --- What was run ---

function end_log() {
    if (log_name != "" && planned != seen)
        error(log_name ": planned " (planned == "" ? "nothing" : planned) ", ran " seen)
}

what == "log" && FNR == 1 { end_log(); log_name = FILENAME; planned = ""; seen = 0 }
what != "log" { next }
{ sub(/\r$/, "") }
/^1\.\.[0-9]/ { planned = substr($1, 4) + 0 }

# The worst counts, of several runs of a case on a backend.
function note_result(who, name, rank, reason,    key) {
    key = who SUBSEP name
    if (!(name in known)) {
        known[name] = 1
        order[++names] = name
    }
    ran[who] = 1
    if (rank <= result[key])
        return
    result[key] = rank
    why[key] = reason
}

/^(not )?ok / {
    seen++
    rank = /^not / ? 3 : / # SKIP / ? 2 : 1
    test = $0
    sub(/^(not )?ok [0-9]+ - /, "", test)
    reason = test
    sub(/ # SKIP .*/, "", test)
    sub(/.* # SKIP /, "", reason)
    if (split(test, part, "/") != 2 || !(part[1] in note))
        error(test ": no case of a backend that is known")
    else
        note_result(part[1], part[2], rank, reason)
}

# --- Who belongs where ---

function fits(name, text,    size) {
    size = length(text)
    if (substr(text, size) == "*")
        return substr(name, 1, size - 1) == substr(text, 1, size - 1)
    return name == text
}

# The number of the longest pattern that fits, or 0.
function best_pattern(name,    i, best, twin) {
    for (i = 1; i <= patterns; i++) {
        if (!fits(name, pattern[i]))
            continue
        if (best && length(pattern[i]) == length(pattern[best]))
            twin = i
        else if (!best || length(pattern[i]) > length(pattern[best])) {
            best = i
            twin = 0
        }
    }
    if (!best)
        error(name ": the case belongs to no clause")
    if (twin)
        error(name ": the case belongs to " clause[clause_of_pattern[best]] " and to " \
              clause[clause_of_pattern[twin]])
    return best
}

function look_for_idle(    i) {
    for (i = 1; i <= clauses; i++) {
        if (!cases[i])
            error(clause[i] ": the clause has no case")
    }
    for (i = 1; i <= patterns; i++) {
        if (!used[i] && cases[clause_of_pattern[i]])
            error(clause[clause_of_pattern[i]] ": no case for " pattern[i])
    }
}

# --- Counting ---

function add_reason(row, who, name, reason) {
    if (reason in letter_of_reason)
        letters[row, who] = letters[row, who] letter_of_reason[reason]
    else
        error(who "/" name ": no footnote for its reason: " reason)
}

# Row 0 is that of all clauses.
function count_case(row, name,    i, key) {
    for (i = 1; i <= backends; i++) {
        key = backend[i] SUBSEP name
        if (!(key in result))
            continue
        number[row, backend[i], result[key]]++
        number[0, backend[i], result[key]]++
        if (result[key] == 2)
            add_reason(row, backend[i], name, why[key])
    }
}

function count_all(    i, best) {
    for (i = 1; i <= names; i++) {
        best = best_pattern(order[i])
        if (!best)
            continue
        used[best] = 1
        cases[clause_of_pattern[best]]++
        count_case(clause_of_pattern[best], order[i])
    }
}

# --- Printing ---

# The letters of a cell, each once and in the order of the footnotes.
function sorted(text,    i, sum) {
    for (i = 1; i <= skips; i++) {
        if (index(text, letter(i)))
            sum = sum (sum == "" ? "" : " ") letter(i)
    }
    return sum
}

function cell_from_before(name, who) {
    return (name, who) in before ? before[name, who] : "not run here"
}

function cell(row, who,    good, bad, skipped, text) {
    if (!(who in ran))
        return cell_from_before(row ? clause[row] : "all", who)
    good = number[row, who, 1] + 0
    skipped = number[row, who, 2] + 0
    bad = number[row, who, 3] + 0
    if (good + skipped + bad == 0)
        return "none"
    text = skipped ? good " / " skipped : good
    if (letters[row, who] != "")
        text = text " <sup>" sorted(letters[row, who]) "</sup>"
    return bad ? text ", **" bad " failed**" : text
}

function print_row(row,    i, text, one) {
    text = row ? "| " clause[row] " | " promise[row] " |" : "| all | |"
    for (i = 1; i <= backends; i++) {
        one = cell(row, backend[i])
        shown = shown (match(one, /<sup>.*<\/sup>/) ? substr(one, RSTART + 5, RLENGTH - 11) : "")
        text = text " " one " |"
    }
    print text
}

function print_table(    i, head, line) {
    head = "| | what is promised |"
    line = "|---|---|"
    for (i = 1; i <= backends; i++) {
        head = head " `" backend[i] "`" (note[backend[i]] != "" ? " *" : "") " |"
        line = line "---|"
    }
    print head "\n" line
    for (i = 1; i <= clauses; i++)
        print_row(i)
    print_row(0)
}

function print_notes(    i, text) {
    for (i = 1; i <= backends; i++) {
        if (note[backend[i]] != "")
            text = text (text == "" ? "" : "; ") "`" backend[i] "` " note[backend[i]]
    }
    if (text != "")
        print "\n\\* " text "."
}

function print_footnotes(    i) {
    if (shown != "")
        print "\nWhy cases were skipped:\n"
    for (i = 1; i <= skips; i++) {
        if (index(shown, letter(i)))
            print "- <sup>" letter(i) "</sup> " footnote[i]
    }
}

END {
    end_log()
    count_all()
    look_for_idle()
    print_table()
    print_notes()
    print_footnotes()
    exit failed
}
