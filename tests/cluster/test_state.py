# SPDX-License-Identifier: MIT
"""State that a process keeps in the kernel moves with it, or is reached from where it is, or stays
with a reason: tests/cluster/programs/travel.c and carries.c move themselves and print what they
print on Linux."""

import subprocess

import pytest

pytestmark = pytest.mark.usefixtures('kernel')


def moves(pair):
    """How many came to an end so far: of its own arrivals a node knows all, of others' the last."""
    return sum(line.split()[2:4] == [str(node), 'done'] for node in (0, 1)
               for line in pair.sh(node, 'cat /proc/cluster/migrations').splitlines())


def comparer(pair, elf):
    name = '/tmp/' + elf.rpartition('/')[2]
    pair.do('put', '0', f'{elf}:{name}')

    def run(words):
        linux = subprocess.run(['unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /opt && '
                                'cp "$0" /opt/p && mount -t tmpfs none /tmp && exec /opt/p $1', elf,
                                words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                               timeout=60, check=True)
        assert pair.sh(0, f'{name} {words} </dev/null') == linux.stdout
    return run


@pytest.fixture(scope='module')
def travel(pair, program):
    return comparer(pair, program('travel'))


@pytest.fixture(scope='module')
def carries(pair, program):
    return comparer(pair, program('carries'))


def test_epoll_and_its_files_move(pair, travel):
    before = moves(pair)
    travel('events 6')
    assert moves(pair) >= before + 3


def test_a_shared_epoll_stays_with_a_reason(pair, travel):
    pid = pair.start(0, '/tmp/travel share')
    pair.sh(0, f'until grep -q epoll /proc/{pid}/cantmove; do sleep 0.1; done')
    assert pair.sh(0, f'cat /proc/{pid}/cantmove') == 'an epoll is shared with another process\n'
    assert pair.exec(0, f'echo 1 >/proc/{pid}/node').status != 0
    assert pair.sh(0, f'cat /proc/{pid}/node') == '0\n'
    pair.sh(0, f'kill {pid}')


def test_both_ends_of_a_terminal_move(pair, travel):
    before = moves(pair)
    travel('ptys')
    assert moves(pair) >= before + 3


def test_timers_run_on_wherever_the_process_is(travel):
    travel('timers 4')


def test_inotify_tells_a_process_that_moves(pair, program):
    before = moves(pair)
    comparer(pair, program('notify'))('moves')
    assert moves(pair) >= before + 7


def test_options_of_sockets_hold_wherever_the_process_is(pair, program):
    before = moves(pair)
    comparer(pair, program('options'))('far')
    assert moves(pair) >= before + 3


def test_message_queues_are_reached_from_where_a_process_is(pair, program):
    before = moves(pair)
    comparer(pair, program('mqueues'))('moves')
    assert moves(pair) >= before + 7


def test_packets_wait_in_a_pipe_whose_ends_move(pair, program):
    before = moves(pair)
    comparer(pair, program('packets'))('moves')
    assert moves(pair) >= before + 4


def test_splice_between_nodes(pair, program):
    before = moves(pair)
    comparer(pair, program('splices'))('far')
    assert moves(pair) >= before + 6


def test_filters_of_calls_move(pair, program):
    before = moves(pair)
    comparer(pair, program('filters'))('moves')
    assert moves(pair) >= before + 5
    pid = pair.start(0, '/tmp/filters stays >/dev/null')
    pair.sh(0, f'until grep -q seccomp /proc/{pid}/cantmove; do sleep 0.1; done; kill {pid}')


def test_words_of_two_nodes_are_waited_for_at_once(pair, program):
    comparer(pair, program('newer'))('far')


def test_results_of_asynchronous_io_move(pair, program):
    before = moves(pair)
    comparer(pair, program('aios'))('moves')
    assert moves(pair) >= before + 7
    pid = pair.start(0, '/tmp/aios stays')
    pair.sh(0, f'until grep -q asynchronous /proc/{pid}/cantmove; do sleep 0.1; done; kill {pid}')


def test_segments_of_its_own_move(pair, program):
    before = moves(pair)
    comparer(pair, program('ldts'))('moves')
    assert moves(pair) >= before + 4


def test_pidfds_name_processes_wherever_they_are(pair, program):
    before = moves(pair)
    comparer(pair, program('pidfds'))('far')
    assert moves(pair) >= before + 6


def test_nice_values_of_processes_on_other_nodes(pair, program):
    comparer(pair, program('nices'))('far')


def test_ids_and_capabilities_go_with_a_process(pair, program):
    before = moves(pair)
    comparer(pair, program('powers'))('far')
    assert moves(pair) >= before + 2


def test_extended_attributes_from_all_nodes(pair, program):
    pair.do('put', '0', f"{program('attributes')}:/tmp/attributes")
    said = [line.split(': ', 1)[1] for line in pair.sh(0, '/tmp/attributes far').splitlines()
            if ': ' in line]
    assert said == [
        'close(open("/tmp/f", O_CREAT | O_RDWR, 0644)) = 0 ',
        'setxattr("/tmp/f", "user.large", value, 3000, 0) = 0 ',
        'setxattr("/tmp/f", "user.large", value, 3000, XATTR_CREATE) = -1 EEXIST',
        'setxattr("/tmp/f", "user.too large", value, 3000, 0) = -1 ENOSPC',
        'fsetxattr(fd, "user.b", "there and back", 14, 0) = 0 ',
        '14 there and back ',
        'fgetxattr(fd, "user.large", answer, sizeof(answer)) = 3000 ',
        'user.b user.large',
        'fremovexattr(fd, "user.large") = 0 ',
        'user.b',
        'unlink("/tmp/f") = 0 ']


def test_what_was_used_goes_with_a_process(pair, program):
    before = moves(pair)
    comparer(pair, program('usages'))('far')
    assert moves(pair) >= before + 2


def test_a_real_time_policy_goes_with_a_process(pair, program):
    before = moves(pair)
    comparer(pair, program('realtime'))('far')
    assert moves(pair) >= before + 1


@pytest.mark.heavy  # on a busy machine a timer comes late for a short turn
def test_nice_values_shape_turns(pair, program):
    comparer(pair, program('nices'))('turns')


def test_proc_shows_memory_and_descriptors_wherever_they_are(pair, program):
    comparer(pair, program('mapped'))('moves')


@pytest.mark.heavy
def test_a_critical_section_begins_anew_after_a_move(pair, program):
    before = moves(pair)
    comparer(pair, program('sections'))('far')
    assert moves(pair) >= before + 2


@pytest.mark.heavy
def test_a_lock_between_nodes_is_given_back(pair, program):
    before = moves(pair)
    comparer(pair, program('lends'))('far')
    assert moves(pair) >= before + 4


def test_system_v_ipc_between_nodes(travel):
    travel('sysv 5')


def test_what_is_said_of_memory_moves(travel):
    travel('spans 4')


def test_owners_of_open_files_are_told_wherever_they_are(pair, program):
    before = moves(pair)
    comparer(pair, program('owners'))('far')
    assert moves(pair) >= before + 4


def test_proc_lists_what_is_of_all_nodes(pair, program):
    before = moves(pair)
    comparer(pair, program('listings'))('far')
    assert moves(pair) >= before + 12


def test_a_subreaper_gets_orphans_of_other_nodes(pair, program):
    comparer(pair, program('reaches'))('far')


def test_names_limits_signals_locks_files_and_maps_go_along(pair, carries):
    before = moves(pair)
    carries('keeps')
    assert moves(pair) >= before + 4


def test_all_threads_move_at_once(pair, program):
    before = moves(pair)
    comparer(pair, program('gang'))('far')
    assert moves(pair) >= before + 20


@pytest.mark.heavy
def test_two_that_move_each_other_go_on(pair):
    """Each waits for the end of the other's move, in which it would take part: one is off."""
    mover = ('other() { cat /tmp/pid$1 2>/dev/null; }; echo $$ >/tmp/pid%d; '
             'until [ "$(other %d)" ]; do sleep 0.1; done; '
             'for i in 1 2 3 4 5 6; do echo $((i %% 2)) 2>/dev/null >/proc/$(other %d)/node; '
             'done; '
             'echo $? >/tmp/over%d; sleep 60')
    pids = [pair.start(n, f"sh -c '{mover % (n, 1 - n, 1 - n, n)}'") for n in (0, 1)]
    pair.sh(0, 'until [ -e /tmp/over0 ] && [ -e /tmp/over1 ]; do sleep 0.2; done', timeout=150)
    for pid in pids:
        assert pair.sh(0, f'echo 1 >/proc/{pid}/node; cat /proc/{pid}/node; kill {pid}') == '1\n'
    pair.sh(0, 'rm /tmp/pid? /tmp/over?')


def test_what_keeps_a_process_where_it_is_says_so(pair, carries):
    reasons = {'threads': 'it has too many threads',
               'memory': 'it shares its memory with another process',
               'vfork': 'it shares its memory with another process',
               'directory': 'it shares its current directory with another process',
               'stopped': 'it is stopped',
               'signalfd': 'a signalfd is shared with another process',
               'traced': 'it is traced',
               'tracer': 'it traces another process',
               'memory-file': 'it has the memory of a process open',
               'watch': 'an epoll watches a file that only another process has open'}
    # On its way there a program may have another reason for a moment: its own is waited for.
    said = ''.join(
        pair.sh(0, f'/tmp/carries {kind} </dev/null & i=0; '
                   f'until [ "$(cat /proc/$!/cantmove)" = "{why}" ] || [ $((i += 1)) -gt 100 ]; '
                   'do sleep 0.1; done; '
                   f'echo "{kind}: $(cat /proc/$!/cantmove)"; '
                   'echo 1 2>/dev/null >/proc/$!/node && echo moved; kill -9 $!')
        for kind, why in reasons.items())
    assert said == ''.join(f'{kind}: {why}\n' for kind, why in reasons.items())


def test_a_process_of_another_node_cannot_be_traced(pair, program):
    pair.do('put', '1', f"{program('tracing')}:/tmp/tracing")
    pid = pair.start(0, 'sleep 60')
    said = pair.sh(1, f'/tmp/tracing far {pid}; cat /proc/{pid}/mem; '
                      f'rm /tmp/tracing; kill {pid}; true')
    assert said == 'attach: EPERM\nseize: EPERM\n' + \
        f"cat: can't open '/proc/{pid}/mem': Permission denied\n"
