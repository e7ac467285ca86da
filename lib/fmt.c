// SPDX-License-Identifier: MIT
#include "lib/fmt.h"
#include "lib/assert.h"
#include "lib/string.h"

struct out {
    char *to;
    size_t size;
    size_t length; // wanted, may pass size
};

struct spec {
    int width;
    int precision; // -1: none
    bool left;
    bool zero;
    bool plus;
    bool alt;
    int longs; // 0 int, 1 long/size_t, 2 long long
};

static void put(struct out *o, char c)
{
    if (o->length + 1 < o->size)
        o->to[o->length] = c;
    o->length++;
}

static void put_padded(struct out *o, const struct spec *s, const char *prefix, const char *body,
                       int length, int zeros)
{
    int prefix_length = (int)strlen(prefix);
    int pad = s->width - prefix_length - zeros - length;
    if (s->zero && !s->left && s->precision < 0 && pad > 0) {
        zeros += pad;
        pad = 0;
    }
    for (; !s->left && pad > 0; pad--)
        put(o, ' ');
    for (int i = 0; i < prefix_length; i++)
        put(o, prefix[i]);
    for (int i = 0; i < zeros; i++)
        put(o, '0');
    for (int i = 0; i < length; i++)
        put(o, body[i]);
    for (; pad > 0; pad--)
        put(o, ' ');
}

static void put_number(struct out *o, const struct spec *s, uint64_t value, unsigned base,
                       bool upper, const char *prefix)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char body[24];
    int n = 0;
    struct spec plain = *s;
    while (value > UINT32_MAX) {
        body[sizeof(body) - 1 - (size_t)n++] = digits[value % base];
        value /= base;
    }
    for (uint32_t v = (uint32_t)value; v > 0; v /= base)
        body[sizeof(body) - 1 - (size_t)n++] = digits[v % base];
    if (n == 0 && s->precision != 0)
        body[sizeof(body) - 1 - (size_t)n++] = '0';
    int zeros = s->precision > n ? s->precision - n : 0;
    put_padded(o, &plain, prefix, body + sizeof(body) - n, n, zeros);
}

static const char *parse_spec(const char *f, struct spec *s, va_list *args)
{
    *s = (struct spec){.precision = -1};
    for (;; f++) {
        if (*f == '-')
            s->left = true;
        else if (*f == '0')
            s->zero = true;
        else if (*f == '+')
            s->plus = true;
        else if (*f == '#')
            s->alt = true;
        else
            break;
    }
    if (*f == '*') {
        s->width = va_arg(*args, int);
        f++;
    }
    for (; *f >= '0' && *f <= '9'; f++)
        s->width = s->width * 10 + (*f - '0');
    if (*f == '.') {
        s->precision = 0;
        if (*++f == '*') {
            s->precision = va_arg(*args, int);
            f++;
        }
        for (; *f >= '0' && *f <= '9'; f++)
            s->precision = s->precision * 10 + (*f - '0');
    }
    for (; *f == 'l' || *f == 'z' || *f == 'h'; f++)
        s->longs += *f == 'l' ? 1 : 0 + (*f == 'z');
    return f;
}

static int64_t signed_arg(const struct spec *s, va_list *args)
{
    if (s->longs >= 2)
        return va_arg(*args, long long);
    return s->longs == 1 ? va_arg(*args, long) : va_arg(*args, int);
}

static uint64_t unsigned_arg(const struct spec *s, va_list *args)
{
    if (s->longs >= 2)
        return va_arg(*args, unsigned long long);
    return s->longs == 1 ? va_arg(*args, unsigned long) : va_arg(*args, unsigned);
}

static void put_conversion(struct out *o, struct spec *s, char conversion, va_list *args)
{
    switch (conversion) {
    case 'd':
    case 'i': {
        int64_t v = signed_arg(s, args);
        uint64_t magnitude = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
        put_number(o, s, magnitude, 10, false, v < 0 ? "-" : s->plus ? "+" : "");
        break;
    }
    case 'u':
        put_number(o, s, unsigned_arg(s, args), 10, false, "");
        break;
    case 'o':
        put_number(o, s, unsigned_arg(s, args), 8, false, "");
        break;
    case 'x':
    case 'X':
        put_number(o, s, unsigned_arg(s, args), 16, conversion == 'X', s->alt ? "0x" : "");
        break;
    case 'p':
        put_number(o, s, (uintptr_t)va_arg(*args, void *), 16, false, "0x");
        break;
    case 'c': {
        char c = (char)va_arg(*args, int);
        put_padded(o, s, "", &c, 1, 0);
        break;
    }
    case 's': {
        const char *text = va_arg(*args, const char *);
        if (text == NULL)
            text = "(null)";
        size_t max = s->precision >= 0 ? (size_t)s->precision : SIZE_MAX;
        size_t length = max == SIZE_MAX ? strlen(text) : strnlen(text, max);
        s->zero = false;
        put_padded(o, s, "", text, (int)length, 0);
        break;
    }
    default:
        put(o, conversion);
        break;
    }
}

int fmt_vprint(char *to, size_t size, const char *format, va_list args)
{
    struct out o = {.to = to, .size = size};
    va_list copy;
    va_copy(copy, args);
    for (const char *f = format; *f; f++) {
        if (*f != '%') {
            put(&o, *f);
            continue;
        }
        struct spec s;
        f = parse_spec(f + 1, &s, &copy);
        if (*f == '\0')
            break;
        put_conversion(&o, &s, *f, &copy);
    }
    va_end(copy);
    if (size > 0)
        to[MIN(o.length, size - 1)] = '\0';
    return (int)o.length;
}

int fmt_print(char *to, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = fmt_vprint(to, size, format, args);
    va_end(args);
    return n;
}

void text_init(struct text *t, void *buffer, size_t size)
{
    *t = (struct text){.at = buffer, .size = size};
    ASSERT(size > 0);
    t->at[0] = '\0';
}

void text_add(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = fmt_vprint(t->at + t->length, t->size - t->length, format, args);
    va_end(args);
    if (t->length + (size_t)n > t->size - 1) {
        t->length = t->size - 1;
        t->cut = true;
    } else {
        t->length += (size_t)n;
    }
}
