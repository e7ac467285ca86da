// SPDX-License-Identifier: MIT
// weftc: compiles scheduling policies, XML as in the paper's Listing 1, into a policy blob.
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "host-tools/policymodel.h"

static const char usage[] = "usage: weftc -o OUT.wpb FILE.xml...     compile\n"
                            "       weftc --check FILE.xml...        only say what is wrong\n"
                            "       weftc --dump FILE.wpb            print a blob as XML\n"
                            "       weftc --dump FILE.xml...         compile and print as XML\n"
                            "Compiles probes, local analyzers and scheduling managers into a "
                            "policy blob for Weft. For FILE.xml a\n"
                            "folder may stand, which is all *.xml in it; one file may hold several "
                            "documents, each with its\n"
                            "<?xml. Errors are FILE:LINE:COLUMN: error: TEXT, all in one run; then "
                            "nothing is written and the\n"
                            "exit status is 1.\n";

static int wanted(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return n > 4 && entry->d_name[0] != '.' && strcmp(entry->d_name + n - 4, ".xml") == 0;
}

static void add_folder(struct sources *s, const char *path)
{
    struct dirent **entries;
    size_t length = strlen(path);
    int count = scandir(path, &entries, wanted, alphasort);
    if (count < 0)
        host_fail("%s: %s", path, strerror(errno));
    if (count == 0)
        host_fail("%s: there is no .xml file in this folder", path);
    for (int i = 0; i < count; i++) {
        char *file =
            host_text("%s%s%s", path, path[length - 1] == '/' ? "" : "/", entries[i]->d_name);
        source_add_file(s, file);
        free(file);
        free(entries[i]);
    }
    free(entries);
}

static void add_argument(struct sources *s, const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        add_folder(s, path);
    else
        source_add_file(s, path);
}

// The blob of all sources; ends the tool when there are errors.
static struct bytes compile(char **paths, int count)
{
    static struct model m; // large
    struct sources s = {0};
    m.s = &s;
    for (int i = 0; i < count; i++)
        add_argument(&s, paths[i]);
    bool whole = s.error_count == 0;
    for (size_t i = 0; i < s.count; i++) {
        struct element *root = xml_tree_read(&s, &s.documents[i]);
        if (root)
            model_add_document(&m, root);
        whole = whole && root;
    }
    if (whole) // else names would be missed that only a broken document has
        model_resolve(&m);
    source_print_errors(&s);
    if (s.error_count > 0)
        exit(1);
    return model_blob(&m);
}

static void open_blob(const char *name, const struct bytes *b, struct policy *p)
{
    char why[POLICY_WHY_BYTES];
    if (!policy_blob_open(b->at, b->size, p, why))
        host_fail("%s: %s", name, why);
}

static void dump(char **paths, int count)
{
    struct policy p;
    struct stat st;
    struct bytes b = {0};
    if (count == 1 && stat(paths[0], &st) == 0 && S_ISREG(st.st_mode))
        b = host_read(paths[0], POLICY_BYTES_MAX);
    if (b.size < 8 || memcmp(b.at, POLICY_MAGIC, 8) != 0) {
        free(b.at);
        b = compile(paths, count);
    }
    open_blob(paths[0], &b, &p);
    policy_print_xml(&p);
}

enum option_code {
    OPT_CHECK = 256,
    OPT_DUMP,
    OPT_HELP,
};

static const struct option options[] = {
    {"check", no_argument, NULL, OPT_CHECK},
    {"dump", no_argument, NULL, OPT_DUMP},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

int main(int argc, char **argv)
{
    const char *out = NULL;
    int verb = 0;
    host_tool_name = "weftc";
    for (int o; (o = getopt_long(argc, argv, "o:I:", options, NULL)) != -1;) {
        if (o == 'o')
            out = optarg;
        else if (o == OPT_CHECK || o == OPT_DUMP)
            verb = o;
        else if (o == 'I')
            host_fail("-I %s: programs beside the XML come later", optarg);
        else {
            fputs(usage, o == OPT_HELP ? stdout : stderr);
            return o == OPT_HELP ? 0 : 1;
        }
    }
    if (optind == argc || (verb == 0) != (out != NULL)) {
        fputs(usage, stderr);
        return 1;
    }
    if (verb == OPT_DUMP) {
        dump(argv + optind, argc - optind);
        return 0;
    }
    struct policy p;
    struct bytes blob = compile(argv + optind, argc - optind);
    open_blob("own blob", &blob, &p);
    if (out)
        host_write(out, blob.at, blob.size);
    return 0;
}
