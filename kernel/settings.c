// SPDX-License-Identifier: MIT
#include "kernel/settings.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"

#define WORDS_MAX 64
#define TEXT_MAX  4096

NODE_VAR(char, text[TEXT_MAX]); // "key=value" words, NUL-ended, back to back
NODE_VAR(size_t, text_bytes);
NODE_VAR(const char *, words[WORDS_MAX]);
NODE_VAR(unsigned, word_count);

static const char *const known[] = {
#define SETTING(key, meaning) #key,
#include "kernel/settings.def"
#undef SETTING
};

static bool is_known(const char *word, size_t key_length)
{
    for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
        if (strlen(known[i]) == key_length && strncmp(known[i], word, key_length) == 0)
            return true;
    return false;
}

static void word_add(const char *start, size_t length)
{
    const char *equals = memchr(start, '=', length);
    if (equals == NULL) // a loader puts the kernel's name first
        return;
    if (node(word_count) == WORDS_MAX || node(text_bytes) + length + 1 > TEXT_MAX) {
        log_warn("settings", "too many words; dropped %.*s", (int)length, start);
        return;
    }
    if (!is_known(start, (size_t)(equals - start)))
        log_warn("settings", "unknown setting %.*s", (int)length, start);
    char *to = node(text) + node(text_bytes);
    memcpy(to, start, length);
    to[length] = '\0';
    node(text_bytes) += length + 1;
    node(words)[node(word_count)++] = to;
}

void settings_parse(const char *line)
{
    while (*line) {
        size_t n = 0;
        while (line[n] && line[n] != ' ' && line[n] != '\n' && line[n] != '\t')
            n++;
        if (n > 0)
            word_add(line, n);
        line += line[n] ? n + 1 : n;
    }
}

static const char *value_of(const char *word, const char *key)
{
    size_t n = strlen(key);
    return strncmp(word, key, n) == 0 && word[n] == '=' ? word + n + 1 : NULL;
}

const char *setting(const char *key)
{
    const char *found = NULL;
    for (unsigned i = 0; i < node(word_count); i++) {
        const char *v = value_of(node(words)[i], key);
        found = v ? v : found;
    }
    return found;
}

const char *setting_nth(const char *key, unsigned i)
{
    for (unsigned w = 0; w < node(word_count); w++) {
        const char *v = value_of(node(words)[w], key);
        if (v && i-- == 0)
            return v;
    }
    return NULL;
}

uint32_t setting_u32(const char *key, uint32_t otherwise)
{
    const char *v = setting(key);
    uint32_t n;
    if (v == NULL)
        return otherwise;
    if (str_to_u32(v, &n))
        return n;
    log_warn("settings", "%s=%s is not a number", key, v);
    return otherwise;
}

bool setting_is(const char *key, const char *value)
{
    const char *v = setting(key);
    return v && strcmp(v, value) == 0;
}
