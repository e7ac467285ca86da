// SPDX-License-Identifier: MIT
#include "ssi/fs/owner.h"
#include "lib/errno.h"
#include "mm/heap.h"
#include "ssi/fs/proxy.h"

void (*file_on_news)(const struct file_owner *o, int code);

static struct file_owner *owner_of(struct file *f)
{
    if (f->owner)
        return f->owner;
    struct file_owner *o = heap_zalloc(sizeof(*o));
    if (o == NULL)
        return NULL;
    list_init(&o->link);
    o->file = f;
    f->owner = o;
    return o;
}

static int async_on(struct file *f, struct file_owner *o, int fd)
{
    struct list *l = f->ops->async ? f->ops->async(f) : NULL;
    if (l == NULL)
        return -ENOTTY;
    if (list_empty(&o->link)) {
        list_append(l, &o->link);
        o->fd = fd;
    }
    f->flags |= O_ASYNC;
    return 0;
}

static int change_here(struct file *f, const struct owner_change *c, struct file_owner_facts *now)
{
    struct file_owner *o = c->what || f->owner ? owner_of(f) : NULL;
    *now = (struct file_owner_facts){0};
    if (o == NULL)
        return c->what ? -ENOMEM : 0;
    int e = c->what & OWNER_ASYNC_ON ? async_on(f, o, c->fd) : 0;
    if (c->what & OWNER_ASYNC_OFF) {
        list_remove(&o->link);
        f->flags &= ~O_ASYNC;
    }
    int32_t signal = c->what & OWNER_SET_SIGNAL ? c->to.signal : o->facts.signal;
    if ((c->what & OWNER_SET_WHO) || ((c->what & OWNER_SET_WHO_IF_NONE) && o->facts.id == 0))
        o->facts = c->to;
    o->facts.signal = signal;
    *now = o->facts;
    return e;
}

int file_owner_change(struct file *f, const struct owner_change *c, struct file_owner_facts *now)
{
    if (!proxy_is(f))
        return change_here(f, c, now);
    struct file_reply reply;
    struct file_ask a = {.op = FILE_OWNER, .in_bytes = sizeof(*c), .out_size = sizeof(*now)};
    int64_t r = proxy_ask(f, &a, c, now, &reply);
    if (r >= 0 && reply.bytes != sizeof(*now))
        r = -EIO;
    if (r >= 0 && (c->what & OWNER_ASYNC_ON))
        f->flags |= O_ASYNC;
    if (r >= 0 && (c->what & OWNER_ASYNC_OFF))
        f->flags &= ~O_ASYNC;
    return (int)r;
}

bool file_owner_set(const struct file *f)
{
    return f->owner && (f->owner->facts.id || f->owner->facts.signal);
}

void file_owner_end(struct file *f)
{
    if (f->owner == NULL)
        return;
    list_remove(&f->owner->link);
    heap_free(f->owner);
    f->owner = NULL;
}

struct owner_change file_owner_take(struct file *f)
{
    struct owner_change c = {0};
    if (f->owner == NULL)
        return c;
    c.what = OWNER_SET_WHO | OWNER_SET_SIGNAL;
    c.what |= list_empty(&f->owner->link) ? 0 : OWNER_ASYNC_ON;
    c.fd = f->owner->fd;
    c.to = f->owner->facts;
    file_owner_end(f);
    return c;
}

void file_news(struct list *async, int code)
{
    struct file_owner *o;
    list_for_each (o, async, link) {
        uint32_t mode = o->file->flags & O_ACCMODE;
        bool deaf = (code == NEWS_IN && mode == O_WRONLY) || (code == NEWS_OUT && mode == O_RDONLY);
        if (o->facts.id && !deaf)
            file_on_news(o, code);
    }
}

void file_urgent(const struct file *f)
{
    const struct file_owner *o = f->owner;
    if (o == NULL || o->facts.id == 0)
        return;
    file_on_news(o, NEWS_URGENT);
    if (!list_empty(&o->link) && o->facts.signal) // the chosen signal beside it
        file_on_news(o, NEWS_PRI);
}
