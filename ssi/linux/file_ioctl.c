// SPDX-License-Identifier: MIT
// ioctl: the table of what each request carries, and job control, which needs the caller's ids.
#include "ssi/linux/file.h"
#include "ssi/linux/file_owner.h"
#include "lib/string.h"
#include "ssi/process/session.h"
#include "ssi/stream/ioctls.h"
#include "ssi/stream/pty.h"
#include "ssi/stream/socket.h"

#define CARRY_MAX 64

struct request {
    uint32_t number;
    uint8_t in, out; // bytes behind the pointer
    bool by_value;   // the argument itself is the value
};

static const struct request requests[] = {
    {TCGETS, 0, 36, false},         {TCSETS, 36, 0, false},  {TCSETSW, 36, 0, false},
    {TCSETSF, 36, 0, false},        {TCSBRK, 4, 0, true},    {TCSBRKP, 4, 0, true},
    {TCXONC, 4, 0, true},           {TCFLSH, 4, 0, true},    {TIOCEXCL, 0, 0, true},
    {TIOCNXCL, 0, 0, true},         {TIOCOUTQ, 0, 4, false}, {TIOCGWINSZ, 0, 8, false},
    {TIOCSWINSZ, 8, 0, false},      {FIONREAD, 0, 4, false}, {TIOCGETD, 0, 4, false},
    {TIOCGPGRP, 0, 4, false},       {TIOCGSID, 0, 4, false}, {TIOCSPGRP, 4, 0, false},
    {TIOCGDEV, 0, 4, false},        {TIOCGPTN, 0, 4, false}, {TIOCSPTLCK, 4, 0, false},
    {TIOCGPTLCK, 0, 4, false},      {TIOCPKT, 4, 0, false},  {TIOCGPKT, 0, 4, false},
    {TIOCSIG, 4, 0, true},          {TCGETA, 0, 18, false},  {TCSETA, 18, 0, false},
    {TCSETAW, 18, 0, false},        {TCSETAF, 18, 0, false}, {TIOCGLCKTRMIOS, 0, 36, false},
    {TIOCSLCKTRMIOS, 36, 0, false},
};

static const struct request *request_of(uint32_t number)
{
    for (size_t k = 0; k < ARRAY_SIZE(requests); k++)
        if (requests[k].number == number)
            return &requests[k];
    return NULL;
}

static long carry(struct file *f, const struct request *r, uint32_t arg)
{
    uint8_t data[CARRY_MAX];
    if (r->by_value)
        memcpy(data, &arg, sizeof(arg));
    else if (r->in) {
        int e = user_read(data, arg, r->in);
        if (e < 0)
            return e;
    }
    long result = f->ops->ioctl(f, r->number, data, r->in, r->out);
    if (result >= 0 && r->out) {
        int e = user_write(arg, data, r->out);
        result = e < 0 ? e : result;
    }
    return result;
}

// ---- job control -------------------------------------------------------------------------------
static int32_t tty_value(struct file *f, uint32_t request)
{
    int32_t value = 0;
    long e = f->ops->ioctl(f, request, &value, 0, sizeof(value));
    return e < 0 ? (int32_t)e : value;
}

static bool is_controlling(struct file *f, const struct process *p)
{
    return p->tty_attached && tty_value(f, TIOCGSID) == p->sid;
}

static bool is_master(struct file *f)
{
    return tty_value(f, TIOCGPTN) >= 0;
}

static uint32_t tty_number(struct file *f)
{
    uint32_t device = (uint32_t)tty_value(f, TIOCGDEV);
    bool pts = (device >> 8 & 0xfff) == PTS_MAJOR;
    return pts ? 1 + ((device & 0xff) | (device >> 12 & ~0xffu)) : TTY_CONSOLE;
}

static long set_controlling(struct file *f, struct process *p, uint32_t force)
{
    int32_t holder = tty_value(f, TIOCGSID);
    if (holder < 0)
        return holder;
    if (p->pid != p->sid || (p->tty_attached && holder != p->sid))
        return holder == p->sid ? 0 : -EPERM;
    if (holder != 0 && holder != p->sid && !(force == 1 && process_can(CAP_SYS_ADMIN)))
        return -EPERM;
    if (holder == p->sid && p->tty_attached)
        return 0;
    long e = f->ops->ioctl(f, TIOCSCTTY, &p->sid, sizeof(p->sid), 0);
    if (e < 0)
        return e;
    p->tty_attached = true;
    p->tty_node = f->home;
    p->tty_number = tty_number(f);
    return 0;
}

void file_opened_by_leader(struct file *f)
{
    struct process *p = process_current();
    if (f->ops->ioctl && (f->flags & O_ACCMODE) != O_WRONLY && tty_value(f, TIOCGSID) == 0 &&
        tty_number(f) != TTY_CONSOLE && !is_master(f))
        (void)set_controlling(f, p, 0); // it goes on without one
}

static long give_up(struct file *f, struct process *p)
{
    if (!is_controlling(f, p))
        return -ENOTTY;
    p->tty_attached = false;
    return p->pid == p->sid ? f->ops->ioctl(f, TIOCNOTTY, &p->sid, sizeof(p->sid), 0) : 0;
}

static long set_foreground(struct file *f, struct process *p, uint32_t arg)
{
    int32_t pgrp;
    int e = user_read(&pgrp, arg, sizeof(pgrp));
    if (e < 0)
        return e;
    if (!is_controlling(f, p))
        return -ENOTTY;
    if (pgrp < 0)
        return -EINVAL;
    int32_t sid = session_of_group(p, pgrp);
    if (sid != p->sid)
        return sid < 0 ? -ESRCH : -EPERM;
    return f->ops->ioctl(f, TIOCSPGRP, &pgrp, sizeof(pgrp), 0);
}

static long job_control(struct file *f, uint32_t number, uint32_t arg)
{
    struct process *p = process_current();
    switch (number) {
    case TIOCSCTTY:
        return set_controlling(f, p, arg);
    case TIOCNOTTY:
        return give_up(f, p);
    case TIOCSPGRP:
        return set_foreground(f, p, arg);
    case TIOCGPGRP:
    case TIOCGSID:
        return is_controlling(f, p) || is_master(f) ? carry(f, request_of(number), arg) : -ENOTTY;
    }
    return -ENOTTY;
}

// ---- sockets: netdevice(7) ---------------------------------------------------------------------
#define SIOC_FIRST  0x8900u
#define FIOSETOWN   0x8901u
#define SIOCSPGRP   0x8902u
#define FIOGETOWN   0x8903u
#define SIOCGPGRP   0x8904u
#define SIOCATMARK  0x8905u
#define SIOCGIFCONF 0x8912u
#define IFREQ_BYTES 32u

static long interfaces(uint32_t arg, const uint8_t *data, size_t n)
{
    uint32_t conf[2]; // bytes, address
    int e = user_read(conf, arg, sizeof(conf));
    if (e == 0 && (int32_t)conf[0] < 0)
        e = -EINVAL;
    if (e == 0 && conf[1])
        n = MIN(n, (size_t)(conf[0] / IFREQ_BYTES * IFREQ_BYTES));
    if (e == 0 && conf[1])
        e = user_write(conf[1], data, n);
    conf[0] = (uint32_t)n;
    return e < 0 ? e : user_write(arg, conf, sizeof(conf[0]));
}

static long owner_request(struct file *f, uint32_t number, uint32_t arg)
{
    int32_t who = 0;
    bool sets = number == FIOSETOWN || number == SIOCSPGRP;
    long e = sets ? user_read(&who, arg, sizeof(who)) : file_owner_number(f, &who);
    if (e < 0)
        return e;
    return sets ? file_owner_number_set(f, who) : user_write(arg, &who, sizeof(who));
}

static long socket_request(struct file *f, uint32_t number, uint32_t arg)
{
    if (number >= FIOSETOWN && number <= SIOCGPGRP)
        return owner_request(f, number, arg);
    uint8_t data[SOCKET_IOCTL_BYTES];
    size_t n = number == SIOCGIFCONF || number == SIOCATMARK ? 0 : IFREQ_BYTES;
    int e = n ? user_read(data, arg, n) : 0;
    if (e < 0)
        return e;
    long r = socket_ioctl(f, number, data, &n);
    if (r < 0)
        return r;
    return number == SIOCGIFCONF ? interfaces(arg, data, n) : user_write(arg, data, n);
}

static long ioctl_on(struct file *f, struct call *c)
{
    uint32_t number = c->args[1], arg = c->args[2];
    int32_t on = 0;
    int e = 0;
    switch (number) {
    case FIOCLEX:
    case FIONCLEX:
        return fd_set_cloexec(process_current()->files, (int)c->args[0], number == FIOCLEX);
    case FIONBIO:
        if ((e = user_read(&on, arg, sizeof(on))) == 0)
            f->flags = on ? f->flags | O_NONBLOCK : f->flags & ~O_NONBLOCK;
        return e < 0 ? e : file_flags_tell(f);
    case FIOASYNC:
        if ((e = user_read(&on, arg, sizeof(on))) == 0)
            e = (int)file_async_set(f, (int)c->args[0], on != 0);
        return e;
    case FIGETBSZ:
        on = PAGE_SIZE;
        return user_write(arg, &on, sizeof(on));
    case TIOCSCTTY:
    case TIOCNOTTY:
    case TIOCSPGRP:
    case TIOCGPGRP:
    case TIOCGSID:
        return f->ops->ioctl ? job_control(f, number, arg) : -ENOTTY;
    }
    if (number >> 8 == SIOC_FIRST >> 8)
        return socket_is(f) ? socket_request(f, number, arg) : -ENOTTY;
    const struct request *r = request_of(number);
    if (r && number == TIOCSLCKTRMIOS && !process_can(CAP_SYS_ADMIN))
        return -EPERM;
    if (r && f->ops->ioctl)
        return carry(f, r, arg);
    if (number == FIONREAD && file_is_tree(f) && f->ops->seek && !f->ops->list) {
        struct fs_stat st;
        if ((e = file_stat(f, &st)) < 0)
            return e;
        int32_t left = (int32_t)(st.bytes - (uint64_t)f->ops->seek(f, 0, 1));
        return user_write(arg, &left, sizeof(left));
    }
    return -ENOTTY;
}

long sys_ioctl(struct call *c)
{
    struct file *f = file_of(c->args[0]);
    if (f == NULL)
        return -EBADF;
    long r = f->flags & O_PATH ? -EBADF : ioctl_on(f, c);
    file_put(f);
    return r;
}
