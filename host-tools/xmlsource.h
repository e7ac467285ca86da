// SPDX-License-Identifier: MIT
// Policy sources: XML files cut into documents, positions in them, and the errors found. A position
// is a line and a column of the file, both from 1, in characters; a tab is one. Several documents
// may stand in one file, each beginning with "<?xml".
#pragma once

#include "host-tools/host.h"

#define SOURCE_BYTES_MAX  ((size_t)1 << 20)
#define SOURCE_ERRORS_MAX 200u

struct position {
    const char *file;
    unsigned file_number; // order on the command line
    unsigned line;
    unsigned column;
};

struct document {
    struct position start;
    char *text; // UTF-8 whatever the file has, one NUL behind it
    size_t size;
};

struct error {
    struct position at;
    char *text;
    unsigned number; // order of arrival
};

struct sources {
    struct document *documents;
    size_t count;
    unsigned files;
    struct error *errors;
    size_t error_count;
};

// Notes an error; more than SOURCE_ERRORS_MAX are dropped, the count goes on.
void source_error(struct sources *s, struct position at, const char *format, ...) PRINTF_LIKE(3, 4);

// "FILE:LINE:COLUMN: error: TEXT" for all of them on stderr, in order of position.
void source_print_errors(struct sources *s);

// Reads a file and cuts it up. Bytes that are no text, a DOCTYPE, an encoding other than UTF-8,
// US-ASCII and ISO-8859-1, and a file above SOURCE_BYTES_MAX are errors, and left out.
void source_add_file(struct sources *s, const char *path);

struct position document_position(const struct document *d, size_t offset);

// Moves `at` over `size` bytes of text.
void position_advance(struct position *at, const char *text, size_t size, bool utf8);

// Where the first start tag at or behind `*offset` begins; moves `*offset` behind that tag. At the
// end of the text both are d->size. Only for text that the XML parser has accepted so far.
size_t document_next_tag(const struct document *d, size_t *offset);
