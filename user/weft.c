// SPDX-License-Identifier: MIT
// weft: the control command of a cluster. Reads and writes /proc; any node gives the same answer.
#include "user/weft.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct verb {
    const char *name;
    int (*run)(int argc, char **argv); // NULL: a later version brings it
    const char *help;
};

int weft_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fflush(stdout);
    fputs("weft: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return 1;
}

// The one word `flag` may be given; -1 when something else was.
static int only_flag(int argc, char **argv, const char *flag)
{
    if (argc == 1)
        return 0;
    if (argc == 2 && strcmp(argv[1], flag) == 0)
        return 1;
    weft_fail("%s: what is \"%s\"? Try: weft %s --help", argv[0], argv[argc - 1], argv[0]);
    return -1;
}

static int run_nodes(int argc, char **argv)
{
    int json = only_flag(argc, argv, "--json");
    return json < 0 ? 1 : verb_nodes(json);
}

static int run_ps(int argc, char **argv)
{
    int json = only_flag(argc, argv, "--json");
    return json < 0 ? 1 : verb_ps(json);
}

static int run_top(int argc, char **argv)
{
    int once = only_flag(argc, argv, "--once");
    return once < 0 ? 1 : verb_top(once);
}

static bool is_number(const char *text)
{
    return *text && strlen(text) < 10 && strspn(text, "0123456789") == strlen(text);
}

static const char *move_error(int error)
{
    switch (error) {
    case ENOENT:
    case ESRCH:
        return "no such process";
    case EINVAL:
        return "no such node";
    case EACCES:
    case EPERM:
        return "not allowed: you may move what you may kill";
    case EHOSTDOWN:
        return "the target died or refused; the process stays where it was";
    default:
        return strerror(error);
    }
}

static int move(const char *pid, const char *node)
{
    char words[16], why[512];
    snprintf(words, sizeof(words), "%s\n", node);
    if (proc_write(words, "%s/node", pid))
        return 0;
    int error = errno;
    if (error == EBUSY && proc_read(why, sizeof(why), "%s/cantmove", pid) && why[0]) {
        why[strcspn(why, "\n")] = '\0';
        return weft_fail("%s cannot move now: %s", pid, why);
    }
    return weft_fail("%s to node %s: %s", pid, node, move_error(error));
}

static int run_migrate(int argc, char **argv)
{
    if (argc != 3 || !is_number(argv[1]) || !is_number(argv[2]))
        return weft_fail("migrate: want PID NODE, two numbers");
    return move(argv[1], argv[2]);
}

static int control(const char *verb, const char *node)
{
    char words[64];
    snprintf(words, sizeof(words), "%s %s\n", verb, node);
    if (proc_write(words, "cluster/control"))
        return 0;
    return weft_fail("node %s %s: %s", verb, node, strerror(errno));
}

// A node that is not there can quiesce nothing: only members are asked.
static int quiesce_all(void)
{
    static char text[128 << 10];
    static struct node_line lines[1024];
    int status = 0;
    if (!proc_read(text, sizeof(text), "cluster/nodes"))
        return weft_fail("/proc/cluster/nodes: %s", strerror(errno));
    size_t count = node_lines(text, lines, sizeof(lines) / sizeof(lines[0]));
    for (size_t i = 0; i < count; i++)
        if (strcmp(lines[i].word[2], "online") == 0)
            status |= control("quiesce", lines[i].word[0]);
    return status;
}

static int run_node(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "add") == 0)
        return weft_fail("node add: a node joins by itself: start a machine with the same boot "
                         "archive and session; `weft nodes` shows it");
    if (strcmp(what, "quiesce") == 0 && argc == 2)
        return quiesce_all();
    if ((strcmp(what, "remove") != 0 && strcmp(what, "quiesce") != 0) || argc != 3 ||
        !is_number(argv[2]))
        return weft_fail("node: want remove NODE, or quiesce [NODE]");
    return control(what, argv[2]);
}

// Copies a file of /proc/cluster to stdout.
static int show(const char *name, const char *when_missing)
{
    size_t size = 1 << 20;
    char *text = malloc(size);
    if (text == NULL)
        return weft_fail("out of memory");
    bool there = proc_read(text, size, "cluster/%s", name);
    int error = errno;
    if (there)
        fputs(text, stdout);
    free(text);
    if (there)
        return 0;
    return error == ENOENT ? weft_fail("%s", when_missing)
                           : weft_fail("/proc/cluster/%s: %s", name, strerror(error));
}

static int run_policy(int argc, char **argv)
{
    if (argc > 1)
        return weft_fail("policy %s: only showing the policy works so far", argv[1]);
    return show("policy", "this node runs no scheduler");
}

static int run_trace(int argc, char **argv)
{
    if (argc > 1)
        return weft_fail("trace: what is \"%s\"?", argv[1]);
    return show("trace", "this node keeps no trace; the setting trace=1 makes it");
}

static int run_run(int argc, char **argv)
{
    int first = 1, status;
    const char *node = NULL;
    if (argc > 2 && strcmp(argv[1], "--node") == 0) {
        node = argv[2];
        first = 3;
    }
    if (first >= argc || (node && !is_number(node)))
        return weft_fail("run: want [--node NODE] COMMAND [WORDS]...");
    pid_t child = fork();
    if (child < 0)
        return weft_fail("run: %s", strerror(errno));
    if (child == 0) {
        if (node && move("self", node) != 0)
            _exit(125);
        execvp(argv[first], argv + first);
        int error = errno;
        weft_fail("%s: %s", argv[first], strerror(error));
        _exit(error == ENOENT ? 127 : 126);
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return weft_fail("run: %s", strerror(errno));
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static const struct verb verbs[] = {
    {"nodes", run_nodes, "[--json]\n  Lists the nodes of the cluster."},
    {"ps", run_ps, "[--json]\n  Lists the processes of all nodes, and where each runs."},
    {"migrate", run_migrate, "PID NODE\n  Moves a process; returns when it runs there."},
    {"node", run_node,
     "remove NODE | quiesce [NODE]\n"
     "  remove: moves all away from a node and lets it go.\n"
     "  quiesce: lets go of every page and cache that no program needs; all nodes without NODE."},
    {"policy", run_policy, "\n  Shows the scheduling policy that runs."},
    {"top", run_top, "[--once]\n  Shows load and the busiest processes each 2 s; q ends it."},
    {"trace", run_trace, "\n  Prints the trace of this node."},
    {"run", run_run, "[--node NODE] COMMAND [WORDS]...\n  Runs a command, on that node."},
    {"checkpoint", NULL, "saves a process"},
    {"restart", NULL, "goes on with a saved process"},
    {"submit", NULL, "puts a job into the queue"},
    {"queue", NULL, "shows the queue of jobs"},
    {"cap", NULL, "shows and sets what a process may do in the cluster"},
};

static int usage(FILE *to)
{
    fputs("usage: weft VERB [WORDS]...     weft VERB --help\nverbs:", to);
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (verbs[i].run)
            fprintf(to, " %s", verbs[i].name);
    fputs("\nlater:", to);
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (verbs[i].run == NULL)
            fprintf(to, " %s", verbs[i].name);
    fputc('\n', to);
    return to == stdout ? 0 : 1;
}

static int run_verb(const struct verb *v, int argc, char **argv)
{
    bool help = argc > 1 && strcmp(argv[1], "--help") == 0;
    if (v->run && help)
        printf("usage: weft %s %s\n", v->name, v->help);
    else if (help)
        printf("weft %s: %s; comes with a later version\n", v->name, v->help);
    else if (v->run)
        return v->run(argc, argv);
    else
        return weft_fail("%s: comes with a later version (%s)", v->name, v->help);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return usage(stderr);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
        return usage(stdout);
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i].name, argv[1]) == 0) {
            int status = run_verb(&verbs[i], argc - 1, argv + 1);
            return fflush(stdout) == 0 ? status : weft_fail("stdout: %s", strerror(errno));
        }
    weft_fail("there is no verb \"%s\"", argv[1]);
    return usage(stderr);
}
