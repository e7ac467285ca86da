// SPDX-License-Identifier: MIT
// The elements of a document as a tree, with the position of each start tag. libxml2 reads, this
// keeps: it resolves no entity but the five of XML, loads nothing, and bounds depth and count.
#pragma once

#include "host-tools/xmlsource.h"

#define XML_DEPTH_MAX    32u
#define XML_ELEMENTS_MAX 20000u
#define XML_TEXT_MAX     4096u // bytes of text of one element

struct element {
    char *name;
    struct position at; // of the "<" of its start tag
    char *text;         // without the blanks around it; "" when there is none
    size_t text_size;
    struct element *parent;
    struct element *first; // child
    struct element *last;
    struct element *next; // sibling
};

// The root element; NULL when the document is not well-formed, which is noted as an error, with the
// position of the element that is open where it stops or of the place itself.
struct element *xml_tree_read(struct sources *s, const struct document *d);

void xml_tree_free(struct element *root);
