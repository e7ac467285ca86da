// SPDX-License-Identifier: MIT
#include "host-tools/xmltree.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#define XSI "http://www.w3.org/2001/XMLSchema-instance"

struct reader {
    struct sources *s;
    const struct document *d;
    xmlParserCtxtPtr context;
    size_t tag_offset;  // behind the last start tag seen
    size_t last_offset; // of that tag
    struct position last_at;
    struct element *root;
    struct element *open; // innermost
    unsigned depth;
    unsigned elements;
    bool failed; // the document is not to be used; only the first reason is told
};

static void stop(struct reader *r)
{
    r->failed = true;
    xmlStopParser(r->context);
}

static void check_attributes(struct reader *r, const struct element *e, int count,
                             const xmlChar **attributes)
{
    for (int i = 0; i < count; i++) { // five pointers each: name, prefix, URI, value, its end
        const char *uri = (const char *)attributes[5 * i + 2];
        if (uri == NULL || strcmp(uri, XSI) != 0)
            source_error(r->s, e->at, "<%s> has an attribute \"%.40s\"; a policy knows none",
                         e->name, (const char *)attributes[5 * i]);
    }
}

// Position of the start tag that the parser has just told of: it is the next in the text.
static struct position next_tag(struct reader *r)
{
    size_t offset = document_next_tag(r->d, &r->tag_offset);
    position_advance(&r->last_at, r->d->text + r->last_offset, offset - r->last_offset, true);
    r->last_offset = offset;
    return r->last_at;
}

static void on_start(void *user, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                     int namespaces, const xmlChar **namespace_list, int attributes, int defaulted,
                     const xmlChar **attribute_list)
{
    struct reader *r = user;
    (void)namespaces, (void)namespace_list, (void)defaulted;
    if (r->failed)
        return;
    struct element *e = calloc(1, sizeof(*e));
    if (e == NULL)
        host_fail("out of memory");
    e->name = prefix ? host_text("%s:%s", prefix, name) : host_text("%s", name);
    e->at = next_tag(r);
    e->text = host_text("%s", "");
    e->parent = r->open;
    if (r->open == NULL)
        r->root = e;
    else if (r->open->last == NULL)
        r->open->first = e;
    else
        r->open->last->next = e;
    if (r->open)
        r->open->last = e;
    r->open = e;
    if (uri)
        source_error(r->s, e->at, "<%s> is in a namespace; a policy has none", e->name);
    check_attributes(r, e, attributes, attribute_list);
    if (++r->depth > XML_DEPTH_MAX) {
        source_error(r->s, e->at, "<%s> is nested more than %u deep", e->name, XML_DEPTH_MAX);
        stop(r);
    } else if (++r->elements > XML_ELEMENTS_MAX) {
        source_error(r->s, e->at, "there are more than %u elements", XML_ELEMENTS_MAX);
        stop(r);
    }
}

static void trim_end(struct element *e)
{
    while (e->text_size > 0 && isspace((unsigned char)e->text[e->text_size - 1]))
        e->text_size--;
    e->text[e->text_size] = '\0';
}

static void on_end(void *user, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    struct reader *r = user;
    (void)name, (void)prefix, (void)uri;
    if (r->failed || r->open == NULL)
        return;
    trim_end(r->open);
    r->open = r->open->parent;
    r->depth--;
}

static void on_text(void *user, const xmlChar *text, int length)
{
    struct reader *r = user;
    struct element *e = r->open;
    if (r->failed || e == NULL)
        return;
    for (; e->text_size == 0 && length > 0 && isspace(*text); length--) // before and between tags
        text++;
    if (e->text_size + (size_t)length > XML_TEXT_MAX) {
        source_error(r->s, e->at, "<%s> holds more than %u bytes of text", e->name, XML_TEXT_MAX);
        stop(r);
        return;
    }
    e->text = host_grow(e->text, e->text_size + (size_t)length + 1);
    memcpy(e->text + e->text_size, text, (size_t)length);
    e->text_size += (size_t)length;
    e->text[e->text_size] = '\0';
}

static void on_doctype(void *user, const xmlChar *name, const xmlChar *id, const xmlChar *system)
{
    struct reader *r = user;
    (void)name, (void)id, (void)system;
    if (!r->failed)
        source_error(r->s, r->d->start, "a DOCTYPE is not allowed in a policy");
    stop(r);
}

// Where the parser stands; all of the document is in memory, so nothing was shifted out.
static size_t parser_offset(const struct reader *r)
{
    const xmlParserInput *in = r->context->input;
    return in ? in->consumed + (size_t)(in->cur - in->base) : 0;
}

static void on_error(void *user, xmlErrorPtr error)
{
    struct reader *r = user;
    char text[200];
    if (r->failed || error->level < XML_ERR_ERROR)
        return;
    r->failed = true;
    size_t n = strlen(error->message ? error->message : "");
    n = MIN(n, sizeof(text) - 1);
    memcpy(text, error->message, n);
    while (n > 0 && isspace((unsigned char)text[n - 1]))
        n--;
    text[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < ' ')
            text[i] = ' ';
    bool of_element = error->code == XML_ERR_TAG_NAME_MISMATCH ||
                      error->code == XML_ERR_TAG_NOT_FINISHED || parser_offset(r) >= r->d->size;
    if (of_element && r->open)
        source_error(r->s, r->open->at, "<%s> is not ended properly: %s", r->open->name, text);
    else
        source_error(r->s, document_position(r->d, parser_offset(r)), "not well-formed: %s", text);
}

static xmlParserInputPtr load_nothing(const char *url, const char *id, xmlParserCtxtPtr context)
{
    (void)url, (void)id, (void)context;
    return NULL;
}

struct element *xml_tree_read(struct sources *s, const struct document *d)
{
    struct reader r = {.s = s, .d = d, .last_at = d->start};
    xmlSetExternalEntityLoader(load_nothing);
    r.context = xmlCreateMemoryParserCtxt(d->text, (int)d->size);
    if (r.context == NULL)
        host_fail("out of memory");
    xmlCtxtUseOptions(r.context, XML_PARSE_NONET | XML_PARSE_IGNORE_ENC | XML_PARSE_NOERROR);
    *r.context->sax = (xmlSAXHandler){
        .initialized = XML_SAX2_MAGIC,
        .startElementNs = on_start,
        .endElementNs = on_end,
        .characters = on_text,
        .ignorableWhitespace = on_text,
        .cdataBlock = on_text,
        .internalSubset = on_doctype,
        .serror = on_error,
    };
    r.context->userData = &r;
    xmlParseDocument(r.context);
    bool good = r.context->wellFormed && !r.failed;
    if (!good && !r.failed)
        source_error(s, d->start, "not well-formed");
    xmlFreeParserCtxt(r.context);
    if (good)
        return r.root;
    xml_tree_free(r.root);
    return NULL;
}

void xml_tree_free(struct element *root)
{
    if (root == NULL)
        return;
    for (struct element *child = root->first, *next; child; child = next) {
        next = child->next;
        xml_tree_free(child);
    }
    free(root->name);
    free(root->text);
    free(root);
}
