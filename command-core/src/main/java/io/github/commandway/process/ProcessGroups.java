package io.github.commandway.process;

import io.github.commandway.process.ProcessException.Code;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Groups of processes, by name. A group is there while it has members; a process is in any number of groups, in each once, and leaves them when it ends. Who watches a group is told
 * of joins and leaves by messages with a {@link Change}. Safe for use by many threads.
 */
public final class ProcessGroups {
    private final Processes processes;

    /** Guarded by this object's lock, as are the watches. */
    private final TreeMap<String, TreeSet<Pid>> groups = new TreeMap<>();

    /** The same the other way round. */
    private final Map<Pid, Set<String>> groupsOf = new HashMap<>();

    private final List<Watching> watches = new ArrayList<>();

    ProcessGroups(Processes processes) {
        this.processes = processes;
    }

    /**
     * Joins groups, all or none; those that it is in already stay as they are.
     *
     * @throws ProcessException {@link Code#NOT_FOUND} if the process is not alive
     */
    public synchronized void join(Pid pid, Collection<String> names) {
        LiveProcess live = processes.live(pid);
        if (live == null || !live.relate(own -> own.inGroups = true)) {
            throw new ProcessException(Code.NOT_FOUND, "there is no " + pid);
        }
        for (String name : names) {
            if (groups.computeIfAbsent(name, absent -> new TreeSet<>()).add(pid)) {
                groupsOf.computeIfAbsent(pid, absent -> new HashSet<>()).add(name);
                tellWatches(new Change(name, pid, true));
            }
        }
    }

    /** Leaves groups; those that it is not in are ignored. */
    public synchronized void leave(Pid pid, Collection<String> names) {
        Set<String> own = groupsOf.getOrDefault(pid, Set.of());
        for (String name : List.copyOf(names)) {
            TreeSet<Pid> members = groups.get(name);
            if (members != null && members.remove(pid)) {
                own.remove(name);
                if (members.isEmpty()) {
                    groups.remove(name);
                }
                tellWatches(new Change(name, pid, false));
            }
        }
        if (own.isEmpty()) {
            groupsOf.remove(pid);
        }
    }

    /** Called when it has ended, so that it cannot join any more. */
    synchronized void leaveAll(LiveProcess live) {
        watches.removeIf(watching -> watching.watcher.equals(live.pid()));
        leave(live.pid(), groupsOf.getOrDefault(live.pid(), Set.of()));
    }

    /** Who is in a group, in the order of their pids; nobody if there is no such group. */
    public synchronized List<Pid> members(String name) {
        TreeSet<Pid> members = groups.get(name);
        return members == null ? List.of() : List.copyOf(members);
    }

    /** The groups that have members. */
    public synchronized SortedSet<String> names() {
        return new TreeSet<>(groups.keySet());
    }

    /**
     * Sends a message to all members of a group.
     *
     * @return how many of them took it; the others have ended or have a full mailbox
     */
    public int broadcast(String name, Message message) {
        int sent = 0;
        for (Pid member : members(name)) {
            if (processes.send(member, message)) {
                sent++;
            }
        }
        return sent;
    }

    /**
     * Has a process told of every later change in a group, or in all of them. It misses none after the members that are returned, unless its mailbox is full, and is told none of them twice. The watch ends with the process.
     *
     * @param name the group, or null for all of them
     * @param topic the topic of the messages; their payload is a {@link Change}
     * @throws ProcessException {@link Code#NOT_FOUND} if the process is not alive
     */
    public synchronized Watch watch(@Nullable String name, Pid watcher, String topic) {
        LiveProcess live = processes.live(watcher);
        if (live == null || !live.relate(own -> own.inGroups = true)) {
            throw new ProcessException(Code.NOT_FOUND, "there is no " + watcher);
        }
        Watching watching = new Watching(name, watcher, topic);
        watches.add(watching);
        SortedMap<String, List<Pid>> now = new TreeMap<>();
        if (name == null) {
            groups.forEach((group, members) -> now.put(group, List.copyOf(members)));
        } else {
            now.put(name, members(name));
        }
        return new Watch(now, () -> end(watching));
    }

    private synchronized void end(Watching watching) {
        watches.remove(watching);
    }

    private void tellWatches(Change change) {
        for (Watching watching : watches) {
            if (watching.group == null || watching.group.equals(change.group())) {
                processes.send(watching.watcher, new Message(null, watching.topic, change));
            }
        }
    }

    /**
     * A process has joined or left a group.
     *
     * @param group the name of the group
     * @param pid who it was
     * @param joined whether it has joined
     */
    public record Change(String group, Pid pid, boolean joined) {}

    /**
     * A watch that has begun.
     *
     * @param members who was in which group at that moment
     * @param stop ends it; a message that is already on its way still arrives
     */
    public record Watch(SortedMap<String, List<Pid>> members, Runnable stop) {}

    /** Compared by identity. */
    private static final class Watching {
        final @Nullable String group;
        final Pid watcher;
        final String topic;

        Watching(@Nullable String group, Pid watcher, String topic) {
            this.group = group;
            this.watcher = watcher;
            this.topic = topic;
        }
    }
}
