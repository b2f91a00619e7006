# Checks the output of an example, the last file, against the docs, the files before it.
#
# Compared are the tables that it prints, and its lines that end with a full stop:
# - Each table stands in the docs, with the same header. A table in the docs with this header may leave out rows, but it
#   has none that are not printed. Columns headed "seconds" may differ.
# - Each sentence stands in the docs, broken into lines anywhere. Wherever the docs have one of the sentences with other
#   numbers, that is a difference too.
#
# Text must be the same; numbers may differ by 2%, because SIMD levels round differently.

BEGIN {
    number = "[0-9]+(\\.[0-9]+)?(e-?[0-9]+)?"
    tolerance = 0.02
}
FNR == 1 { in_table = 0; printed = FILENAME == ARGV[ARGC - 1] }
/^\|/ && !in_table { header[++tables] = $0; from_docs[tables] = !printed; place[tables] = FILENAME ":" FNR }
/^\|/ && in_table && !/^\|[-|]+$/ { rows[tables, ++height[tables]] = $0 }
{ in_table = /^\|/ }
!printed { docs = docs " " $0 }
printed && !in_table && /\.$/ { sentences[++spoken] = $0 }

END {
    for (t = 1; t <= tables; t++)
        if (!from_docs[t])
            check_table(t)
    gsub(/#/, "", docs)
    gsub(/[ \t]+/, " ", docs)
    masked_docs = masked(docs)
    split_numbers(docs, all_numbers)
    for (s = 1; s <= spoken; s++)
        check_sentence(s)
    exit failures > 0
}

# Compares a printed table with all tables in the docs that have its header.
function check_table(p,    t, complete) {
    for (t = 1; t <= tables; t++)
        if (from_docs[t] && header[t] == header[p]) {
            complete += height[t] >= height[p]
            check_rows(t, p)
        }
    if (!complete)
        fail("no table in the docs has this header and all of its rows", header[p])
}

# Checks that each row of the docs' table t is a row of the printed table p.
function check_rows(t, p,    i, k) {
    for (i = 1; i <= height[t]; i++) {
        for (k = 1; k <= height[p] && first_cell(rows[p, k]) != first_cell(rows[t, i]); k++)
            ;
        if (k > height[p])
            fail(place[t] " has a row that is not printed", rows[t, i])
        else if (!same_row(header[p], rows[t, i], rows[p, k]))
            fail(place[t] " and the output differ", rows[t, i] "\n    " rows[p, k])
    }
}

function first_cell(row,    cells) {
    split(row, cells, "|")
    return cells[2]
}

# Whether two rows agree, but for the columns headed "seconds".
function same_row(head, one, other,    names, a, b, k, columns) {
    columns = split(head, names, "|")
    if (split(one, a, "|") != columns || split(other, b, "|") != columns)
        return 0
    for (k = 1; k <= columns; k++)
        if (names[k] != " seconds " && !same(a[k], b[k]))
            return 0
    return 1
}

# Whether two texts agree, up to the tolerance of their numbers.
function same(one, other,    a, b, k, count) {
    if (masked(one) != masked(other))
        return 0
    count = split_numbers(one, a)
    split_numbers(other, b)
    for (k = 1; k <= count; k++)
        if (!close_to(a[k], b[k]))
            return 0
    return 1
}

function close_to(a, b,    difference) {
    difference = a < b ? b - a : a - b
    return difference <= tolerance * (a < b ? b : a)
}

# Checks all places where the docs have a sentence of this wording: each has the numbers of a printed one, and one of
# them has those of this one.
function check_sentence(s,    wanted, before, start, first, said) {
    wanted = masked(sentences[s])
    while (start = index(substr(masked_docs, length(before) + 1), wanted)) {
        before = before substr(masked_docs, length(before) + 1, start - 1) wanted
        first = gsub(/#/, "#", before) - gsub(/#/, "#", wanted)
        if (!printed_with(wanted, first))
            fail("the docs have other numbers, from " all_numbers[first + 1] " on, in", sentences[s])
        said += numbers_agree(sentences[s], first)
    }
    if (!said)
        fail("the docs do not say", sentences[s])
}

# Whether a printed sentence of this wording has the numbers of the docs after the `first`.
function printed_with(wanted, first,    s) {
    for (s = 1; s <= spoken; s++)
        if (masked(sentences[s]) == wanted && numbers_agree(sentences[s], first))
            return 1
    return 0
}

function numbers_agree(sentence, first,    numbers, count, k) {
    count = split_numbers(sentence, numbers)
    for (k = 1; k <= count; k++)
        if (!close_to(all_numbers[first + k], numbers[k]))
            return 0
    return 1
}

function masked(text) {
    gsub(number, "#", text)
    return text
}

function split_numbers(text, numbers,    count) {
    while (match(text, number)) {
        numbers[++count] = substr(text, RSTART, RLENGTH) + 0
        text = substr(text, RSTART + RLENGTH)
    }
    return count
}

function fail(problem, line) {
    printf "%s:\n    %s\n", problem, line
    failures++
}
