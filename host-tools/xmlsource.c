// SPDX-License-Identifier: MIT
#include "host-tools/xmlsource.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define READ_BYTES_MAX ((size_t)64 << 20)

void source_error(struct sources *s, struct position at, const char *format, ...)
{
    va_list args;
    s->error_count++;
    if (s->error_count > SOURCE_ERRORS_MAX)
        return;
    s->errors = host_grow(s->errors, s->error_count * sizeof(*s->errors));
    struct error *e = &s->errors[s->error_count - 1];
    *e = (struct error){.at = at, .number = (unsigned)s->error_count};
    va_start(args, format);
    if (vasprintf(&e->text, format, args) < 0)
        host_fail("out of memory");
    va_end(args);
}

static int by_position(const void *a, const void *b)
{
    const struct error *x = a, *y = b;
    unsigned left[] = {x->at.file_number, x->at.line, x->at.column, x->number};
    unsigned right[] = {y->at.file_number, y->at.line, y->at.column, y->number};
    for (size_t i = 0; i < ARRAY_SIZE(left); i++)
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    return 0;
}

void source_print_errors(struct sources *s)
{
    size_t kept = MIN(s->error_count, (size_t)SOURCE_ERRORS_MAX);
    if (kept > 0)
        qsort(s->errors, kept, sizeof(*s->errors), by_position);
    for (size_t i = 0; i < kept; i++) {
        const struct error *e = &s->errors[i];
        fprintf(stderr, "%s:%u:%u: error: %s\n", e->at.file, e->at.line, e->at.column, e->text);
    }
    if (s->error_count > kept)
        fprintf(stderr, "weftc: and %zu more errors\n", s->error_count - kept);
}

// Continuation bytes of UTF-8 are no characters of their own.
void position_advance(struct position *at, const char *text, size_t size, bool utf8)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n') {
            at->line++;
            at->column = 1;
        } else if (!utf8 || ((unsigned char)text[i] & 0xc0) != 0x80) {
            at->column++;
        }
    }
}

struct position document_position(const struct document *d, size_t offset)
{
    struct position at = d->start;
    position_advance(&at, d->text, MIN(offset, d->size), true);
    return at;
}

static bool begins(const char *text, size_t size, size_t at, const char *word)
{
    size_t length = strlen(word);
    return at <= size && size - at >= length && memcmp(text + at, word, length) == 0;
}

// Offset behind the next `end` at or behind `at`, or `size`.
static size_t behind(const char *text, size_t size, size_t at, const char *end)
{
    size_t length = strlen(end);
    const char *found = at < size ? memmem(text + at, size - at, end, length) : NULL;
    return found ? (size_t)(found - text) + length : size;
}

// Behind the comment, CDATA section or processing instruction that begins at `at`; else `at`.
static size_t skip_opaque(const char *text, size_t size, size_t at)
{
    if (begins(text, size, at, "<!--"))
        return behind(text, size, at + 4, "-->");
    if (begins(text, size, at, "<![CDATA["))
        return behind(text, size, at + 9, "]]>");
    if (begins(text, size, at, "<?"))
        return behind(text, size, at + 2, "?>");
    return at;
}

// Behind the ">" of the tag that begins at `at`; one in quotes does not end it.
static size_t skip_tag(const char *text, size_t size, size_t at)
{
    char quote = '\0';
    for (; at < size; at++) {
        if (quote) {
            quote = text[at] == quote ? '\0' : quote;
        } else if (text[at] == '"' || text[at] == '\'') {
            quote = text[at];
        } else if (text[at] == '>') {
            return at + 1;
        }
    }
    return size;
}

size_t document_next_tag(const struct document *d, size_t *offset)
{
    size_t at = *offset;
    while (at < d->size) {
        if (d->text[at] != '<') {
            at++;
            continue;
        }
        size_t opaque = skip_opaque(d->text, d->size, at);
        if (opaque != at) {
            at = opaque;
            continue;
        }
        *offset = skip_tag(d->text, d->size, at);
        if (at + 1 < d->size && d->text[at + 1] != '/' && d->text[at + 1] != '!')
            return at;
        at = *offset;
    }
    *offset = d->size;
    return d->size;
}

static bool begins_declaration(const char *text, size_t size, size_t at)
{
    return begins(text, size, at, "<?xml") && at + 5 < size && isspace((unsigned char)text[at + 5]);
}

// Where the document that begins at `at` ends: at the next "<?xml" outside of comments.
static size_t document_end(const char *text, size_t size, size_t at)
{
    if (begins_declaration(text, size, at))
        at += 5; // a declaration cut short must not swallow the next document
    while (at < size) {
        if (begins_declaration(text, size, at))
            return at;
        size_t opaque = skip_opaque(text, size, at);
        at = opaque == at ? at + 1 : opaque;
    }
    return size;
}

enum encoding {
    ENCODING_UTF8,
    ENCODING_ASCII,
    ENCODING_LATIN1,
    ENCODING_OTHER,
};

// What the XML declaration says; without one it is UTF-8.
static enum encoding declared_encoding(const char *text, size_t size)
{
    char declaration[256], name[64];
    if (!begins_declaration(text, size, 0))
        return ENCODING_UTF8;
    size_t end = MIN(behind(text, size, 0, "?>"), sizeof(declaration) - 1);
    memcpy(declaration, text, end);
    declaration[end] = '\0';
    char *word = strstr(declaration, "encoding");
    if (word == NULL || (sscanf(word, "encoding = \"%63[^\"]", name) != 1 &&
                         sscanf(word, "encoding = '%63[^']", name) != 1))
        return ENCODING_UTF8;
    if (strcasecmp(name, "UTF-8") == 0 || strcasecmp(name, "UTF8") == 0)
        return ENCODING_UTF8;
    if (strcasecmp(name, "US-ASCII") == 0 || strcasecmp(name, "ASCII") == 0)
        return ENCODING_ASCII;
    if (strcasecmp(name, "ISO-8859-1") == 0 || strcasecmp(name, "LATIN1") == 0)
        return ENCODING_LATIN1;
    return ENCODING_OTHER;
}

// Length of the proper UTF-8 character at `p`, 0 when it is none (RFC 3629).
static size_t utf8_length(const unsigned char *p, size_t size)
{
    size_t n = p[0] < 0x80                   ? 1
               : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
               : (p[0] & 0xf0) == 0xe0       ? 3
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                             : 0;
    if (n > size)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool outside = (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f);
    return overlong || outside ? 0 : n;
}

// Offset of the first byte that is no text in that encoding, or `size`.
static size_t bad_byte(const char *text, size_t size, enum encoding encoding)
{
    for (size_t at = 0; at < size;) {
        const unsigned char *p = (const unsigned char *)text + at;
        size_t n = encoding == ENCODING_UTF8 ? utf8_length(p, size - at)
                                             : !(encoding == ENCODING_ASCII && *p >= 0x80);
        if (n == 0 || *p == '\0')
            return at;
        at += n;
    }
    return size;
}

static struct document to_utf8(const char *text, size_t size, bool latin1)
{
    struct document d = {.text = host_alloc(2 * size + 1)};
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (latin1 && c >= 0x80) {
            d.text[d.size++] = (char)(0xc0 | c >> 6);
            c = (unsigned char)(0x80 | (c & 0x3f));
        }
        d.text[d.size++] = (char)c;
    }
    d.text[d.size] = '\0';
    return d;
}

// One in a comment or a CDATA section does not count.
static bool find_doctype(const struct document *d, size_t *offset)
{
    for (size_t at = 0; at < d->size;) {
        size_t opaque = skip_opaque(d->text, d->size, at);
        *offset = at;
        if (begins(d->text, d->size, at, "<!DOCTYPE"))
            return true;
        at = opaque == at ? at + 1 : opaque;
    }
    return false;
}

static void add_document(struct sources *s, const char *text, size_t size, struct position start)
{
    size_t doctype;
    enum encoding encoding = declared_encoding(text, size);
    size_t bad = bad_byte(text, size, encoding);
    if (encoding == ENCODING_OTHER) {
        source_error(s, start, "the encoding is not one of UTF-8, US-ASCII and ISO-8859-1");
        return;
    }
    if (bad < size) {
        struct position at = start;
        position_advance(&at, text, bad, encoding == ENCODING_UTF8);
        source_error(s, at, "byte 0x%02x is no text in the document's encoding",
                     (unsigned char)text[bad]);
        return;
    }
    struct document d = to_utf8(text, size, encoding == ENCODING_LATIN1);
    d.start = start;
    if (find_doctype(&d, &doctype)) {
        source_error(s, document_position(&d, doctype), "a DOCTYPE is not allowed in a policy");
        free(d.text);
        return;
    }
    s->documents = host_grow(s->documents, (s->count + 1) * sizeof(*s->documents));
    s->documents[s->count++] = d;
}

static bool blank(const char *text, size_t size)
{
    while (size > 0 && isspace((unsigned char)text[size - 1]))
        size--;
    return size == 0;
}

void source_add_file(struct sources *s, const char *path)
{
    struct bytes b = host_read(path, READ_BYTES_MAX);
    const char *text = (const char *)b.at;
    struct position at = {host_text("%s", path), s->files++, 1, 1};
    size_t offset = begins(text, b.size, 0, "\xef\xbb\xbf") ? 3 : 0;
    if (b.size > SOURCE_BYTES_MAX) {
        source_error(s, at, "the file has %zu bytes; at most %zu are read", b.size,
                     SOURCE_BYTES_MAX);
    } else if (blank(text + offset, b.size - offset)) {
        source_error(s, at, "the file is empty");
    } else {
        while (offset < b.size) {
            size_t end = document_end(text, b.size, offset);
            bool utf8 = declared_encoding(text + offset, end - offset) == ENCODING_UTF8;
            if (!blank(text + offset, end - offset))
                add_document(s, text + offset, end - offset, at);
            position_advance(&at, text + offset, end - offset, utf8);
            offset = end;
        }
    }
    free(b.at);
}
