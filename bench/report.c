/* SPDX-License-Identifier: MIT */
/*
 * report.c: the tables, made from the lines of a result file and nothing else.
 *
 * A workload is a row in the list below. Each of its cells (the same parameters) becomes a table
 * with a row for each competitor: medians over the blocks, smallest and largest in brackets.
 */
#include "json_line.h"
#include "statistics.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_LINES   100000
#define MOST_ROWS    64
#define MOST_CELLS   64
#define MOST_VALUES  1000
#define MOST_TEXT    160
#define MOST_FIELDS  4
#define MOST_METRICS 5
#define MOST_COLUMNS (MOST_METRICS + 4)
#define BUSY_PERCENT 20
#define THREE_DIGITS (-1)
#define REFERENCE    "pollux"

struct metric {
    const char *title;
    const char *field;
    double unit;
    int decimals; /* THREE_DIGITS: as many as three digits in all leave */
};

struct workload {
    const char *name;
    const char *title;
    const char *fields[MOST_FIELDS];     /* what makes a cell */
    struct metric metrics[MOST_METRICS]; /* the first is the one compared; less is better */
    const char *remark;                  /* a string member that is printed behind the row */
};

static const struct workload workloads[] = {
    {.name = "echo",
     .title = "echo, CPU of the server",
     .fields = {"bytes", "connections", "active"},
     .metrics = {{"CPU us/request", "server_cpu_ns", 1e3, THREE_DIGITS},
                 {"1000 requests/s", "requests_per_second", 1e3, THREE_DIGITS},
                 {"p50 ms", "p50_ns", 1e6, THREE_DIGITS},
                 {"p99 ms", "p99_ns", 1e6, THREE_DIGITS}}},
    {.name = "calls",
     .title = "system calls of the server",
     .fields = {"bytes", "connections", "active"},
     .metrics = {{"calls/request", "calls_per_request", 1, 3}},
     .remark = "by_name"},
    {.name = "dispatch",
     .title = "dispatch: one report in a batch, nothing read",
     .fields = {"watchers", "active"},
     .metrics = {{"CPU ns/report", "cpu_ns", 1, 1}, {"wall ns/report", "wall_ns", 1, 1}}},
    {.name = "turn",
     .title = "turn: a pass of the loop that finds one report",
     .fields = {"watchers", "active"},
     .metrics = {{"CPU ns/turn", "cpu_ns", 1, 1}, {"wall ns/turn", "wall_ns", 1, 1}}},
    {.name = "timers",
     .title = "timers: CPU ns for each; moved at random, pushed back, started, stopped, expired",
     .fields = {"timers"},
     .metrics = {{"move", "move_ns", 1, 1},
                 {"again", "again_ns", 1, 1},
                 {"start", "start_ns", 1, 1},
                 {"stop", "stop_ns", 1, 1},
                 {"expire", "expire_ns", 1, 1}}},
    {.name = "instructions",
     .title = "instructions in user space, for each report",
     .fields = {"watchers", "active"},
     .metrics = {{"program and library", "instructions", 1, 1},
                 {"inside the library", "instructions_inside", 1, 1}}},
};

struct row {
    char peer[64];
    int copy; /* 1: the same competitor once more, as a control */
};

struct cell {
    double values[MOST_FIELDS];
};

/* What is printed of one cell; its columns are as wide as they need to be. */
struct table {
    char text[MOST_ROWS + 1][MOST_COLUMNS][MOST_TEXT];
    int rows;
    int columns; /* of the row that is being filled */
};

static char *lines[MOST_LINES];
static size_t line_count;

static bool read_lines(const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    if (!file) {
        perror(path);
        return false;
    }
    char *line = NULL;
    size_t size = 0;
    while (line_count < MOST_LINES && getline(&line, &size, file) >= 0) {
        lines[line_count++] = line;
        line = NULL;
        size = 0;
    }
    free(line);
    return true;
}

static double number(const char *line, const char *field)
{
    double value = (double)NAN;
    json_number(line, field, &value);
    return value;
}

static bool is_of_workload(const char *line, const char *name)
{
    char text[32];
    return json_string(line, "workload", text, sizeof(text)) && strcmp(text, name) == 0;
}

static bool same(double left, double right)
{
    return fabs(left - right) < 1e-9;
}

static bool is_of_cell(const char *line, const struct workload *workload, const struct cell *cell)
{
    if (!is_of_workload(line, workload->name))
        return false;
    for (int i = 0; i < MOST_FIELDS && workload->fields[i]; i++)
        if (!same(number(line, workload->fields[i]), cell->values[i]))
            return false;
    return true;
}

static bool is_of_row(const char *line, const struct row *row)
{
    char peer[64];
    return json_string(line, "peer", peer, sizeof(peer)) && strcmp(peer, row->peer) == 0 &&
           (number(line, "copy") > 0) == (row->copy > 0);
}

/* The cells of a workload, in the order in which they were measured first. */
static int find_cells(const struct workload *workload, struct cell *cells)
{
    int count = 0;
    for (size_t i = 0; i < line_count && count < MOST_CELLS; i++) {
        bool known = !is_of_workload(lines[i], workload->name);
        for (int j = 0; j < count && !known; j++)
            known = is_of_cell(lines[i], workload, &cells[j]);
        if (known)
            continue;
        for (int j = 0; j < MOST_FIELDS && workload->fields[j]; j++)
            cells[count].values[j] = number(lines[i], workload->fields[j]);
        count++;
    }
    return count;
}

static int find_rows(const struct workload *workload, const struct cell *cell, struct row *rows)
{
    int count = 0;
    for (size_t i = 0; i < line_count && count < MOST_ROWS; i++) {
        bool known = !is_of_cell(lines[i], workload, cell);
        for (int j = 0; j < count && !known; j++)
            known = is_of_row(lines[i], &rows[j]);
        if (known || !json_string(lines[i], "peer", rows[count].peer, sizeof(rows[count].peer)))
            continue;
        rows[count].copy = number(lines[i], "copy") > 0;
        count++;
    }
    return count;
}

/* All values of a field for one row; with `origins` also the line that each came from. */
static size_t collect(const struct workload *workload, const struct cell *cell,
                      const struct row *row, const char *field, double *values,
                      const char **origins)
{
    size_t count = 0;
    for (size_t i = 0; i < line_count && count < MOST_VALUES; i++) {
        if (!is_of_cell(lines[i], workload, cell) || !is_of_row(lines[i], row))
            continue;
        double value = number(lines[i], field);
        if (isnan(value))
            continue;
        if (origins)
            origins[count] = lines[i];
        values[count++] = value;
    }
    return count;
}

/* A file may hold several runs, each of which counts its blocks from 1. */
static bool same_block(const char *left, const char *right)
{
    char left_run[64] = "";
    char right_run[64] = "";
    json_string(left, "run", left_run, sizeof(left_run));
    json_string(right, "run", right_run, sizeof(right_run));
    return strcmp(left_run, right_run) == 0 && same(number(left, "block"), number(right, "block"));
}

/* Block by block, how many times the reference's value a row needs. */
static size_t ratios(const struct workload *workload, const struct cell *cell,
                     const struct row *row, double *result)
{
    static double values[MOST_VALUES], reference_values[MOST_VALUES];
    static const char *origins[MOST_VALUES], *reference_origins[MOST_VALUES];
    const struct row reference = {.peer = REFERENCE};
    const char *field = workload->metrics[0].field;
    size_t count = collect(workload, cell, row, field, values, origins);
    size_t references =
        collect(workload, cell, &reference, field, reference_values, reference_origins);
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < references && found < MOST_VALUES; j++)
            if (same_block(origins[i], reference_origins[j]) && reference_values[j] > 0)
                result[found++] = values[i] / reference_values[j];
    return found;
}

static struct summary ratio_summary(const struct workload *workload, const struct cell *cell,
                                    const struct row *row)
{
    static double values[MOST_VALUES];
    return summarise(values, ratios(workload, cell, row, values));
}

/*
 * How far apart two runs of the same program came out, at worst; negative if nobody looked. A
 * difference no larger than that shows nothing.
 */
static double control_error(const struct workload *workload, const struct cell *cell)
{
    const struct row control = {.peer = REFERENCE, .copy = 1};
    struct summary summary = ratio_summary(workload, cell, &control);
    return summary.count ? fmax(summary.maximum - 1, 1 - summary.minimum) : -1;
}

/* Every block has to agree, by more than the control ever differed. */
static const char *verdict(const struct summary *ratio, double error)
{
    if (error < 0 || ratio->count < 2)
        return "";
    if (ratio->minimum - 1 > error)
        return "ahead";
    if (1 - ratio->maximum > error)
        return "behind";
    return "undecided";
}

static struct table table;

static char *next_text(void)
{
    return table.text[table.rows][table.columns++];
}

static int decimals_of(double value, int decimals)
{
    if (decimals != THREE_DIGITS)
        return decimals;
    return value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
}

/* The median, and the smallest and the largest beside it where there are several. */
static void add_summary(const struct summary *summary, double unit, int decimals)
{
    double values[] = {summary->median / unit, summary->minimum / unit, summary->maximum / unit};
    int digits[3];
    char *text = next_text();
    for (int i = 0; i < 3; i++)
        digits[i] = decimals_of(values[i], decimals);
    if (summary->count == 0)
        snprintf(text, MOST_TEXT, "-");
    else if (summary->count == 1)
        snprintf(text, MOST_TEXT, "%.*f", digits[0], values[0]);
    else
        snprintf(text, MOST_TEXT, "%.*f (%.*f-%.*f)", digits[0], values[0], digits[1], values[1],
                 digits[2], values[2]);
}

static void add_metric(const struct workload *workload, const struct cell *cell,
                       const struct row *row, const struct metric *metric)
{
    static double values[MOST_VALUES];
    size_t count = collect(workload, cell, row, metric->field, values, NULL);
    struct summary summary = summarise(values, count);
    add_summary(&summary, metric->unit, metric->decimals);
}

static void add_remark(const struct workload *workload, const struct cell *cell,
                       const struct row *row)
{
    char *text = next_text();
    for (size_t i = 0; workload->remark && i < line_count && !*text; i++)
        if (is_of_cell(lines[i], workload, cell) && is_of_row(lines[i], row))
            json_string(lines[i], workload->remark, text, MOST_TEXT);
}

/* Competitor, the metric that is compared, its ratio, the other metrics, the verdict, the remark.
 */
static void add_row(const struct workload *workload, const struct cell *cell, const struct row *row)
{
    bool is_reference = strcmp(row->peer, REFERENCE) == 0;
    struct summary ratio = ratio_summary(workload, cell, row);
    double error = control_error(workload, cell);
    snprintf(next_text(), MOST_TEXT, "%.63s%s", row->peer, row->copy ? " (again)" : "");
    add_metric(workload, cell, row, &workload->metrics[0]);
    if (is_reference && !row->copy)
        snprintf(next_text(), MOST_TEXT, "1");
    else
        add_summary(&ratio, 1, 2);
    for (int i = 1; i < MOST_METRICS && workload->metrics[i].title; i++)
        add_metric(workload, cell, row, &workload->metrics[i]);
    snprintf(next_text(), MOST_TEXT, "%s", is_reference ? "" : verdict(&ratio, error));
    add_remark(workload, cell, row);
}

static void add_head(const struct workload *workload, const struct cell *cell)
{
    bool controlled = control_error(workload, cell) >= 0;
    next_text();
    snprintf(next_text(), MOST_TEXT, "%s", workload->metrics[0].title);
    snprintf(next_text(), MOST_TEXT, "ratio to pollux");
    for (int i = 1; i < MOST_METRICS && workload->metrics[i].title; i++)
        snprintf(next_text(), MOST_TEXT, "%s", workload->metrics[i].title);
    snprintf(next_text(), MOST_TEXT, "%s", controlled ? "pollux is" : "");
    next_text();
}

static void end_row(void)
{
    table.rows++;
    table.columns = 0;
}

static int column_width(int column)
{
    size_t width = 0;
    for (int row = 0; row < table.rows; row++)
        if (strlen(table.text[row][column]) > width)
            width = strlen(table.text[row][column]);
    return (int)width;
}

static bool is_empty_from(int row, int column)
{
    for (; column < MOST_COLUMNS; column++)
        if (*table.text[row][column])
            return false;
    return true;
}

static void print_table(void)
{
    for (int row = 0; row < table.rows; row++) {
        for (int column = 0; !is_empty_from(row, column); column++) {
            int width = is_empty_from(row, column + 1) ? 0 : column_width(column);
            if (column_width(column) > 0)
                printf("  %-*s", width, table.text[row][column]);
        }
        putchar('\n');
    }
}

static double row_median(const struct workload *workload, const struct cell *cell,
                         const struct row *row)
{
    static double values[MOST_VALUES];
    size_t count = collect(workload, cell, row, workload->metrics[0].field, values, NULL);
    return summarise(values, count).median;
}

/* The best first. There are few rows: the simplest sort will do. */
static void sort_rows(const struct workload *workload, const struct cell *cell, struct row *rows,
                      int count)
{
    for (int i = 1; i < count; i++)
        for (int j = i; j > 0 && row_median(workload, cell, &rows[j]) <
                                     row_median(workload, cell, &rows[j - 1]);
             j--) {
            struct row row = rows[j];
            rows[j] = rows[j - 1];
            rows[j - 1] = row;
        }
}

static void print_cell(const struct workload *workload, const struct cell *cell)
{
    static struct row rows[MOST_ROWS];
    int count = find_rows(workload, cell, rows);
    sort_rows(workload, cell, rows, count);
    printf("\n%s", workload->title);
    for (int i = 0; i < MOST_FIELDS && workload->fields[i]; i++)
        printf("%s%s %.0f", i ? ", " : ": ", workload->fields[i], cell->values[i]);
    putchar('\n');
    memset(&table, 0, sizeof(table));
    add_head(workload, cell);
    end_row();
    for (int i = 0; i < count; i++) {
        add_row(workload, cell, &rows[i]);
        end_row();
    }
    print_table();
}

static void print_machine(void)
{
    static const char *const fields[] = {"cpu",   "processors", "kernel", "compiler",
                                         "flags", "revision",   "date",   "seed"};
    char text[256];
    for (size_t i = 0; i < line_count; i++) {
        if (!is_of_workload(lines[i], "machine"))
            continue;
        for (size_t j = 0; j < sizeof(fields) / sizeof(*fields); j++)
            if (json_string(lines[i], fields[j], text, sizeof(text)))
                printf("%-10s  %s\n", fields[j], text);
    }
}

/* Were all connections really held, and who else used the processors meanwhile? */
static void print_conditions(void)
{
    static double foreign[MOST_LINES];
    size_t count = 0;
    double fewest = (double)INFINITY;
    double errors = 0;
    bool unpinned = false;
    for (size_t i = 0; i < line_count; i++) {
        if (!is_of_workload(lines[i], "echo"))
            continue;
        foreign[count++] = 100 * number(lines[i], "foreign_cpu");
        fewest = fmin(fewest, number(lines[i], "held") / number(lines[i], "connections"));
        errors = fmax(errors, number(lines[i], "errors"));
        unpinned = unpinned || strstr(lines[i], "\"pinned\":false");
    }
    if (count == 0)
        return;
    struct summary summary = summarise(foreign, count);
    printf("\nConnections held in the worst echo trial: %.2f %%; errors in the worst: %.0f.\n",
           100 * fewest, errors);
    printf("Processor time that went elsewhere during the echo trials, in %% of one processor: "
           "median %.0f, worst %.0f.\n",
           summary.median, summary.maximum);
    if (summary.median > BUSY_PERCENT)
        puts("That is much: other work disturbed these results.");
    if (unpinned)
        puts("The client had no processor of its own.");
}

static void print_legend(void)
{
    puts("\n"
         "A number is the median over the blocks (smallest-largest); less is better, but for\n"
         "requests/s. The ratio is taken within each block: above 1 pollux needs less.\n"
         "\"pollux (again)\" is the same program once more in each block, so what it differs by\n"
         "is noise. pollux is called ahead or behind where the difference exceeds the largest of\n"
         "that noise in every block. A few blocks give a hint, not a proof.");
}

int main(int argc, char *argv[])
{
    static struct cell cells[MOST_CELLS];
    if (argc != 2 || (argv[1][0] == '-' && argv[1][1] != '\0')) {
        fputs("usage: bench_report FILE\n", stderr);
        return 2;
    }
    if (!read_lines(argv[1]))
        return EXIT_FAILURE;
    print_machine();
    for (size_t i = 0; i < sizeof(workloads) / sizeof(*workloads); i++) {
        int count = find_cells(&workloads[i], cells);
        for (int j = 0; j < count; j++)
            print_cell(&workloads[i], &cells[j]);
    }
    print_conditions();
    print_legend();
    return EXIT_SUCCESS;
}
