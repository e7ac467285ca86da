// SPDX-License-Identifier: MIT
// /dev/kmsg: the log of the node where it was opened, a record a read:
// "PRIORITY,NUMBER,US,-;TEXT\n" (dev-kmsg of the Linux ABI documents). The number of a record is
// that of its first byte.
#include "kernel/klog.h"
#include "lib/errno.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/fs/inode.h"
#include "ssi/stream/tty_priv.h"

#define LINE_BYTES_MAX   1200u // of the ring: what was written, and its head
#define RECORD_BYTES_MAX (4 * LINE_BYTES_MAX)
#define WRITE_BYTES_MAX  992u
#define PRIORITY_DEFAULT 12u // user, warning
#define FACILITY_USER    8u

static uint32_t number_at(const char **at)
{
    uint32_t n = 0;
    while (**at >= '0' && **at <= '9' && n < 100000000)
        n = n * 10 + (uint32_t)(*(*at)++ - '0');
    return n;
}

static void past(const char **at, char c)
{
    while (**at == ' ')
        (*at)++;
    if (**at == c)
        (*at)++;
}

// What a record can not show as it is.
static void escaped(struct text *t, const char *text)
{
    for (; *text && *text != '\n'; text++)
        text_add(t, *text < ' ' || *text == 127 || *text == '\\' ? "\\x%02x" : "%c",
                 (unsigned char)*text);
}

static void record_of(uint64_t number, const char *line, struct text *t)
{
    past(&line, '<');
    uint32_t priority = number_at(&line);
    past(&line, '>');
    past(&line, '[');
    past(&line, ' ');
    uint64_t seconds = number_at(&line);
    past(&line, '.');
    uint64_t us = seconds * 1000000 + number_at(&line);
    past(&line, ']');
    text_add(t, "%u,%llu,%llu,-;", priority, (unsigned long long)number, (unsigned long long)us);
    escaped(t, *line == ' ' ? line + 1 : line);
    text_add(t, "\n");
}

// The line at f->offset, with its end.
static int line_next(struct file *f, char *line, size_t size)
{
    while (f->offset == klog_end()) {
        int e = f->flags & O_NONBLOCK
                    ? -EAGAIN
                    : wait_sleep(klog_readers(), WAIT_FOREVER, WAIT_INTERRUPTIBLE);
        if (e < 0)
            return e;
    }
    uint64_t at = klog_line_from(f->offset);
    if (at != f->offset) { // overwritten since
        f->offset = at;
        return -EPIPE;
    }
    line[klog_read(&at, line, size - 1)] = '\0';
    return 0;
}

static int kmsg_read(struct file *f, struct xfer *x, const uint64_t *at)
{
    (void)at;
    if (x->done > 0)
        return 0; // one record a read, whatever room there is
    char *line = heap_alloc(LINE_BYTES_MAX), *record = heap_alloc(RECORD_BYTES_MAX);
    int e = line && record ? line_next(f, line, LINE_BYTES_MAX) : -ENOMEM;
    if (e == 0) {
        struct text t;
        text_init(&t, record, RECORD_BYTES_MAX);
        record_of(f->offset, line, &t);
        const char *end = strchr(line, '\n');
        e = t.length > x->left ? -EINVAL : xfer_put_all(x, record, t.length);
        if (e == 0)
            f->offset += end ? (size_t)(end - line) + 1 : strlen(line);
    }
    heap_free(line);
    heap_free(record);
    return e;
}

// "<PRIORITY>TEXT" or TEXT; each line of it is one of the log.
static void log_text(const char *text)
{
    uint32_t priority = PRIORITY_DEFAULT;
    const char *number = text + 1;
    if (*text == '<') {
        uint32_t n = number_at(&number);
        if (*number == '>' && number > text + 1) {
            priority = n > KLOG_LEVEL ? n : n | FACILITY_USER;
            text = number + 1;
        }
    }
    do {
        const char *end = strchr(text, '\n');
        size_t n = end ? (size_t)(end - text) : strlen(text);
        klog_add(priority, text, n);
        text += n + (end != NULL);
    } while (*text);
}

static int kmsg_write(struct file *f, struct xfer *x, const uint64_t *at)
{
    (void)f, (void)at;
    if (x->left > WRITE_BYTES_MAX)
        return -EINVAL;
    char *text = heap_alloc(WRITE_BYTES_MAX + 1);
    if (text == NULL)
        return -ENOMEM;
    size_t n = x->left;
    int e = xfer_take_all(x, text, n);
    text[n] = '\0';
    if (e == 0)
        log_text(text);
    heap_free(text);
    return e;
}

// From the first record that is kept, or to the end; there is nothing in between to be named.
static int64_t kmsg_seek(struct file *f, int64_t offset, int whence)
{
    if (offset != 0)
        return -ESPIPE;
    if (whence != WHENCE_SET && whence != WHENCE_DATA && whence != WHENCE_END)
        return -EINVAL;
    f->offset = whence == WHENCE_END ? klog_end() : klog_line_from(0);
    return 0;
}

static unsigned kmsg_poll(struct file *f)
{
    if (f->offset == klog_end())
        return 0;
    return klog_line_from(f->offset) == f->offset ? POLL_IN : POLL_IN | POLL_ERR | POLL_PRI;
}

static struct wait_queue *kmsg_poll_queue(struct file *f)
{
    (void)f;
    return klog_readers();
}

static const struct file_ops kmsg_ops = {
    .name = "kmsg",
    .read = kmsg_read,
    .write = kmsg_write,
    .seek = kmsg_seek,
    .poll = kmsg_poll,
    .poll_queue = kmsg_poll_queue,
};

int kmsg_open(const struct fs_who *who, uint32_t flags, struct file **f)
{
    (void)who;
    *f = file_new(&kmsg_ops, flags & (O_ACCMODE | O_NONBLOCK | O_APPEND), NULL);
    if (*f == NULL)
        return -ENOMEM;
    (*f)->offset = klog_line_from(0);
    return 0;
}
