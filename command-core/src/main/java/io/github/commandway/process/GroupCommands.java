package io.github.commandway.process;

import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.Dispatcher;
import io.github.commandway.dispatch.Handler;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Commands 200 to 211, the groups of processes. All end at once. All processes are on this node, so what asks for those of this node has the same answer as what asks for all.
 */
public final class GroupCommands implements Dispatcher {
    /** {@link Join}. */
    public static final int JOIN = 200;

    /** {@link Leave}. */
    public static final int LEAVE = 201;

    /** {@link Members}. */
    public static final int MEMBERS = 202;

    /** {@link Members}. */
    public static final int LOCAL_MEMBERS = 203;

    /** {@link Groups}. */
    public static final int GROUPS = 204;

    /** {@link Broadcast}. */
    public static final int BROADCAST = 205;

    /** {@link Broadcast}. */
    public static final int LOCAL_BROADCAST = 206;

    /** {@link Groups}. */
    public static final int LOCAL_GROUPS = 207;

    /** {@link MonitorGroup}. */
    public static final int MONITOR = 208;

    /** {@link MonitorAll}. */
    public static final int EVENTS = 209;

    /** {@link JoinAll}. */
    public static final int JOIN_GROUPS = 210;

    /** {@link LeaveAll}. */
    public static final int LEAVE_GROUPS = 211;

    private final ProcessGroups groups;

    /** Commands for the groups of these processes. */
    public GroupCommands(Processes processes) {
        groups = processes.groups();
    }

    @Override
    public String name() {
        return "process groups";
    }

    @Override
    public void registerAll(Registrar registrar) {
        registrar.register(JOIN, now((context, command) -> join(context, List.of(((Join) command).group()))));
        registrar.register(LEAVE, now((context, command) -> leave(context, List.of(((Leave) command).group()))));
        registrar.register(MEMBERS, now((context, command) -> groups.members(((Members) command).group())));
        registrar.register(LOCAL_MEMBERS, now((context, command) -> groups.members(((Members) command).group())));
        registrar.register(GROUPS, now((context, command) -> groups.names()));
        registrar.register(BROADCAST, now((context, command) -> broadcast(context, (Broadcast) command)));
        registrar.register(LOCAL_BROADCAST, now((context, command) -> broadcast(context, (Broadcast) command)));
        registrar.register(LOCAL_GROUPS, now((context, command) -> groups.names()));
        registrar.register(MONITOR, now((context, command) -> {
            MonitorGroup monitor = (MonitorGroup) command;
            return groups.watch(monitor.group(), ProcessCommands.caller(context), monitor.topic());
        }));
        registrar.register(
                EVENTS,
                now((context, command) ->
                        groups.watch(null, ProcessCommands.caller(context), ((MonitorAll) command).topic())));
        registrar.register(JOIN_GROUPS, now((context, command) -> join(context, ((JoinAll) command).groups())));
        registrar.register(LEAVE_GROUPS, now((context, command) -> leave(context, ((LeaveAll) command).groups())));
    }

    private static Handler now(ProcessCommands.Action action) {
        return (context, command, tag, receiver) -> receiver.completeYield(tag, action.run(context, command), null);
    }

    private @Nullable Object join(CommandContext context, List<String> names) throws Exception {
        groups.join(ProcessCommands.caller(context), names);
        return null;
    }

    private @Nullable Object leave(CommandContext context, List<String> names) throws Exception {
        groups.leave(ProcessCommands.caller(context), names);
        return null;
    }

    private Integer broadcast(CommandContext context, Broadcast broadcast) {
        Message message = new Message(ProcessCommands.pidOf(context), broadcast.topic(), broadcast.payload());
        return groups.broadcast(broadcast.group(), message);
    }

    /**
     * The process that yields this joins a group.
     *
     * @param group its name
     */
    public record Join(String group) implements Command {
        @Override
        public int commandId() {
            return JOIN;
        }
    }

    /**
     * The process that yields this leaves a group.
     *
     * @param group its name
     */
    public record Leave(String group) implements Command {
        @Override
        public int commandId() {
            return LEAVE;
        }
    }

    /**
     * Who is in a group; the result is a list of {@link Pid}.
     *
     * @param group its name
     * @param local whether only those of this node are asked for
     */
    public record Members(String group, boolean local) implements Command {
        @Override
        public int commandId() {
            return local ? LOCAL_MEMBERS : MEMBERS;
        }
    }

    /**
     * Which groups have members; the result is a sorted set of names.
     *
     * @param local whether only those with members on this node are asked for
     */
    public record Groups(boolean local) implements Command {
        @Override
        public int commandId() {
            return local ? LOCAL_GROUPS : GROUPS;
        }
    }

    /**
     * Sends a message to the members of a group; the result is how many took it.
     *
     * @param group its name
     * @param topic what it is about
     * @param payload anything, or null
     * @param local whether only those of this node get it
     */
    public record Broadcast(
            String group, String topic, @Nullable Object payload, boolean local) implements Command {
        @Override
        public int commandId() {
            return local ? LOCAL_BROADCAST : BROADCAST;
        }
    }

    /**
     * The process that yields this is told of changes in a group; the result is a {@link ProcessGroups.Watch}.
     *
     * @param group its name
     * @param topic the topic of the messages
     */
    public record MonitorGroup(String group, String topic) implements Command {
        @Override
        public int commandId() {
            return MONITOR;
        }
    }

    /**
     * The process that yields this is told of changes in all groups; the result is a {@link ProcessGroups.Watch}.
     *
     * @param topic the topic of the messages
     */
    public record MonitorAll(String topic) implements Command {
        @Override
        public int commandId() {
            return EVENTS;
        }
    }

    /**
     * The process that yields this joins several groups.
     *
     * @param groups their names
     */
    public record JoinAll(List<String> groups) implements Command {
        @Override
        public int commandId() {
            return JOIN_GROUPS;
        }
    }

    /**
     * The process that yields this leaves several groups.
     *
     * @param groups their names
     */
    public record LeaveAll(List<String> groups) implements Command {
        @Override
        public int commandId() {
            return LEAVE_GROUPS;
        }
    }
}
