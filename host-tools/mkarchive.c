// SPDX-License-Identifier: MIT
// mkarchive: builds a boot archive (lib/archive.h) with a root file system, a policy, a cluster key
// and settings. The same input gives the same bytes.
#include <bearssl.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "host-tools/tree.h"
#include "lib/archive.h"
#include "lib/crc32c.h"
#include "lib/limits.h"
#include "sched/policy/blob.h"

#define KEY_BYTES_MIN      16
#define SETTINGS_BYTES_MAX 4096
#define APP_BYTES_MAX      4096

static const char usage[] =
    "usage: mkarchive -o OUT [--base ARCHIVE] [--root DIR]... [--file HOSTPATH:PATH]...\n"
    "                 [--policy FILE.wpb|none] [--key FILE] [--settings \"WORDS\"]...\n"
    "                 [--app WORD]...\n"
    "       mkarchive --list ARCHIVE\n"
    "Builds a boot archive for Weft.\n"
    "  -o OUT                the archive to write\n"
    "  --base ARCHIVE        begin with the tree and the parts of an archive\n"
    "  --root DIR            all below DIR goes to the root of the tree\n"
    "  --file HOSTPATH:PATH  a file or a folder of this machine appears as PATH\n"
    "  --policy FILE.wpb     policy blob from weftc; none takes the base's out\n"
    "  --key FILE            cluster key: at least 16 secret bytes; its SHA-256 is the key\n"
    "  --settings \"WORDS\"    words as on the kernel command line; added behind the base's\n"
    "  --app WORD            runs in place of the shells: first its path, then each argument\n"
    "  --list ARCHIVE        check an archive and say what is in it\n"
    "A later file of the same path takes the place of an earlier one. Owners are 0:0, permissions\n"
    "those of the files, times SOURCE_DATE_EPOCH or 0.\n";

struct plan {
    struct tree tree;
    struct bytes policy;
    struct bytes key;
    struct bytes settings;
    struct bytes app;
};

static struct bytes copy_of(const void *at, size_t size)
{
    struct bytes b = {.at = host_alloc(size + 1), .size = size};
    memcpy(b.at, at, size);
    b.at[size] = '\0';
    return b;
}

static void sha256(const void *bytes, size_t size, uint8_t *digest)
{
    br_sha256_context c;
    br_sha256_init(&c);
    br_sha256_update(&c, bytes, size);
    br_sha256_out(&c, digest);
}

static struct bytes open_archive(const char *path, struct archive *a)
{
    const char *why;
    struct bytes b = host_read(path, ARCHIVE_BYTES_MAX);
    if (!archive_open(b.at, b.size, a, &why))
        host_fail("%s: %s", path, why);
    return b;
}

static void take_part(const struct archive *a, uint32_t kind, struct bytes *to)
{
    const void *at;
    size_t size;
    if (archive_part(a, kind, &at, &size))
        *to = copy_of(at, size);
}

static void take_base(struct plan *p, const char *path)
{
    struct archive a;
    const void *root;
    size_t size;
    struct bytes b = open_archive(path, &a);
    if (archive_part(&a, ARCHIVE_ROOT, &root, &size))
        tree_add_cpio(&p->tree, root, size, path);
    take_part(&a, ARCHIVE_POLICY, &p->policy);
    take_part(&a, ARCHIVE_KEY, &p->key);
    take_part(&a, ARCHIVE_SETTINGS, &p->settings);
    take_part(&a, ARCHIVE_PROGRAM, &p->app);
    free(b.at);
}

// "a//b/./c" and "/a/b/c/" become "a/b/c"; ".." is refused.
static char *tree_path(const char *given)
{
    char *copy = host_text("%s", given), *path = host_alloc(strlen(given) + 1), *rest = copy;
    *path = '\0';
    for (char *word; (word = strsep(&rest, "/")) != NULL;) {
        if (*word == '\0' || strcmp(word, ".") == 0)
            continue;
        if (strcmp(word, "..") == 0)
            host_fail("--file %s: the path may not hold ..", given);
        if (strlen(word) > NAME_MAX_BYTES)
            host_fail("--file %s: a name is longer than %d bytes", given, NAME_MAX_BYTES);
        if (*path)
            strcat(path, "/");
        strcat(path, word);
    }
    free(copy);
    return path;
}

static void take_file(struct plan *p, const char *argument)
{
    const char *colon = strrchr(argument, ':');
    if (colon == NULL || colon == argument)
        host_fail("--file %s: want HOSTPATH:PATH", argument);
    char *host_path = host_text("%.*s", (int)(colon - argument), argument);
    char *path = tree_path(colon + 1);
    tree_add_host(&p->tree, host_path, path);
    free(host_path);
    free(path);
}

static void take_policy(struct plan *p, const char *path)
{
    struct policy policy;
    char why[POLICY_WHY_BYTES];
    p->policy.size = 0;
    if (strcmp(path, "none") == 0)
        return;
    p->policy = host_read(path, POLICY_BYTES_MAX);
    if (!policy_blob_open(p->policy.at, p->policy.size, &policy, why))
        host_fail("%s: %s", path, why);
}

static void take_key(struct plan *p, const char *path)
{
    struct bytes secret = host_read(path, 1 << 20);
    if (secret.size < KEY_BYTES_MIN)
        host_fail("%s: a cluster key has at least %d bytes", path, KEY_BYTES_MIN);
    p->key = (struct bytes){.at = host_alloc(ARCHIVE_DIGEST), .size = ARCHIVE_DIGEST};
    sha256(secret.at, secret.size, p->key.at);
    free(secret.at);
}

static void take_settings(struct plan *p, const char *words)
{
    for (const char *c = words; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            host_fail("--settings: there is a control character in it");
    char *all = p->settings.size ? host_text("%s %s", (char *)p->settings.at, words)
                                 : host_text("%s", words);
    if (strlen(all) > SETTINGS_BYTES_MAX)
        host_fail("--settings: more than %d bytes", SETTINGS_BYTES_MAX);
    p->settings = copy_of(all, strlen(all));
    free(all);
}

static void take_app(struct plan *p, const char *word)
{
    size_t size = strlen(word) + 1;
    if (p->app.size == 0 && word[0] != '/')
        host_fail("--app %s: the program's path begins with /", word);
    if (p->app.size + size > APP_BYTES_MAX)
        host_fail("--app: more than %d bytes", APP_BYTES_MAX);
    p->app.at = host_grow(p->app.at, p->app.size + size);
    memcpy(p->app.at + p->app.size, word, size);
    p->app.size += size;
}

struct builder {
    struct archive_header header;
    struct archive_row rows[ARCHIVE_PARTS_MAX];
    struct bytes out;
};

static void add_part(struct builder *b, uint32_t kind, struct bytes part)
{
    if (part.size == 0)
        return;
    size_t offset = ALIGN_UP(b->out.size, (size_t)ARCHIVE_ALIGN);
    if (offset + part.size > ARCHIVE_BYTES_MAX)
        host_fail("the archive would be larger than 1 GiB");
    b->out.at = host_grow(b->out.at, offset + part.size);
    memset(b->out.at + b->out.size, 0, offset - b->out.size);
    memcpy(b->out.at + offset, part.at, part.size);
    b->out.size = offset + part.size;
    b->rows[b->header.parts++] = (struct archive_row){
        .kind = kind,
        .offset = (uint32_t)offset,
        .bytes = (uint32_t)part.size,
        .crc32c = crc32c(0, part.at, part.size),
    };
}

static struct bytes build(struct plan *p, uint32_t mtime)
{
    struct builder b = {.header = {.version = ARCHIVE_VERSION}};
    struct bytes root = tree_cpio(&p->tree, mtime);
    memcpy(b.header.magic, ARCHIVE_MAGIC, sizeof(b.header.magic));
    sha256(root.at, root.size, b.header.root_sha256);
    b.out = (struct bytes){.at = host_alloc(ARCHIVE_ALIGN), .size = ARCHIVE_ALIGN};
    memset(b.out.at, 0, ARCHIVE_ALIGN);
    add_part(&b, ARCHIVE_ROOT, root);
    add_part(&b, ARCHIVE_POLICY, p->policy);
    add_part(&b, ARCHIVE_KEY, p->key);
    add_part(&b, ARCHIVE_SETTINGS, p->settings);
    add_part(&b, ARCHIVE_PROGRAM, p->app);
    b.header.bytes = (uint32_t)b.out.size;
    b.header.crc32c = archive_header_crc(&b.header, b.rows);
    memcpy(b.out.at, &b.header, sizeof(b.header));
    memcpy(b.out.at + sizeof(b.header), b.rows, b.header.parts * sizeof(b.rows[0]));
    return b.out;
}

static void list(const char *path)
{
    struct archive a;
    const void *root;
    size_t size;
    struct bytes b = open_archive(path, &a);
    for (unsigned i = 0; i < a.header->parts; i++) {
        const struct archive_row *r = &a.rows[i];
        printf("%.4s %u bytes at %u\n", (const char *)&r->kind, r->bytes, r->offset);
    }
    if (archive_part(&a, ARCHIVE_ROOT, &root, &size))
        tree_list_cpio(root, size, path);
    free(b.at);
}

static uint32_t source_date(void)
{
    const char *text = getenv("SOURCE_DATE_EPOCH");
    if (text == NULL)
        return 0;
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end || end == text || value > UINT32_MAX)
        host_fail("SOURCE_DATE_EPOCH=%s: want seconds since 1970", text);
    return (uint32_t)value;
}

enum option_code {
    OPT_BASE = 256,
    OPT_ROOT,
    OPT_FILE,
    OPT_POLICY,
    OPT_KEY,
    OPT_SETTINGS,
    OPT_APP,
    OPT_LIST,
    OPT_HELP,
};

static const struct option options[] = {
    {"base", required_argument, NULL, OPT_BASE},
    {"root", required_argument, NULL, OPT_ROOT},
    {"file", required_argument, NULL, OPT_FILE},
    {"policy", required_argument, NULL, OPT_POLICY},
    {"key", required_argument, NULL, OPT_KEY},
    {"settings", required_argument, NULL, OPT_SETTINGS},
    {"app", required_argument, NULL, OPT_APP},
    {"list", required_argument, NULL, OPT_LIST},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

static void take_option(struct plan *p, int option, const char *argument)
{
    switch (option) {
    case OPT_BASE:
        take_base(p, argument);
        break;
    case OPT_ROOT:
        tree_add_host(&p->tree, argument, "");
        break;
    case OPT_FILE:
        take_file(p, argument);
        break;
    case OPT_POLICY:
        take_policy(p, argument);
        break;
    case OPT_KEY:
        take_key(p, argument);
        break;
    case OPT_SETTINGS:
        take_settings(p, argument);
        break;
    case OPT_APP:
        take_app(p, argument);
        break;
    case OPT_LIST:
        list(argument);
        exit(0);
    case OPT_HELP:
        fputs(usage, stdout);
        exit(0);
    default:
        fputs(usage, stderr);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    const char *out = NULL;
    struct plan p = {0};
    host_tool_name = "mkarchive";
    for (int o; (o = getopt_long(argc, argv, "o:", options, NULL)) != -1;) {
        if (o == 'o')
            out = optarg;
        else
            take_option(&p, o, optarg);
    }
    if (out == NULL || optind < argc) {
        fputs(usage, stderr);
        return 1;
    }
    struct bytes archive = build(&p, source_date());
    host_write(out, archive.at, archive.size);
    return 0;
}
