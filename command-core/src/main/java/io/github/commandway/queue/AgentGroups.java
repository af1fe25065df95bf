package io.github.commandway.queue;

import io.github.commandway.directory.AgentDirectory;
import io.github.commandway.directory.AgentInfo;
import io.github.commandway.directory.AgentListener;
import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.CommandIds;
import io.github.commandway.dispatch.Dispatcher;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.manager.CommandRejectedException;
import io.github.commandway.manager.CommandRejectedException.Code;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.QueueingHandler;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.manager.Target;
import io.github.commandway.timing.DaemonThreads;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Executes commands to groups of agents: gives each to one member that is connected to this server, can execute it, and has a free place, the one with the most room first. While there is none
 * the command waits here, up to its ttl. Register it as a dispatcher beside the one for agents.
 *
 * <p>To whom a command is given is recorded before it is given. So it is not given to a second one: neither if the server is stopped and takes it up again, nor if the agent goes away; then the same
 * holds as for a command to that agent.
 *
 * <p>All methods are safe for use by many threads, and none blocks.
 */
public final class AgentGroups implements Dispatcher, AutoCloseable {
    private static final long LOOK_SECONDS = 1;
    private static final int SHOWN = 3;

    private final AgentDirectory directory;
    private final Registry registry;
    private final Eligibility eligibility;
    private final int maxWaiting;
    private final ScheduledExecutorService timer;
    private final boolean ownsTimer;
    private final ScheduledFuture<?> looking;
    private final List<Runnable> roomListeners = new CopyOnWriteArrayList<>();

    /** Those who wait for a member, the first one first. Guarded by this object's lock, which is not held while anybody but the directory is called. */
    private final Deque<Run> waiting = new ArrayDeque<>();

    /** How many commands are on their way to each agent, which does not count them yet. Guarded in the same way. */
    private final Map<String, Integer> onTheirWay = new HashMap<>();

    private int turn;

    private AgentGroups(Builder builder) {
        directory = builder.directory;
        registry = builder.registry;
        eligibility = builder.eligibility;
        maxWaiting = builder.maxWaiting;
        ownsTimer = builder.timer == null;
        timer = builder.timer == null ? DaemonThreads.newTimer("commandway-groups") : builder.timer;
        directory.addListener(new AgentListener() {
            @Override
            public void onConnected(AgentInfo agent) {
                look();
            }

            @Override
            public void onChanged(AgentInfo agent) {
                look();
            }
        });
        // what is sent to an agent by its name ends without a word to us
        looking = timer.scheduleWithFixedDelay(this::placeWaiting, LOOK_SECONDS, LOOK_SECONDS, TimeUnit.SECONDS);
    }

    /**
     * Starts to build.
     *
     * @param directory the agents of this server
     * @param registry where the handler of commands to agents is looked up
     */
    public static Builder builder(AgentDirectory directory, Registry registry) {
        return new Builder(directory, registry);
    }

    @Override
    public String name() {
        return "groups";
    }

    @Override
    public void registerAll(Registrar registrar) {
        registrar.register(CommandIds.GROUP_EXECUTE, new Members());
    }

    /** For what there is room among the members that are connected here, for a queue that leads to the group. */
    public Room room(Target.Group group) {
        int places = 0;
        Set<String> types = new HashSet<>();
        boolean anyType = false;
        synchronized (this) {
            for (Member member : members()) {
                if (member.free > 0 && group.includes(member.agent.labels())) {
                    places += member.free;
                    types.addAll(member.agent.capabilities());
                    anyType |= member.agent.capabilities().isEmpty();
                }
            }
        }
        return new Room(places, anyType ? null : types);
    }

    /** Has {@code listener} called when there may be more room than before. It must not block. */
    public void onRoom(Runnable listener) {
        roomListeners.add(listener);
    }

    /** How many commands wait here for a member. */
    public synchronized int waiting() {
        return waiting.size();
    }

    /** Gives nothing to anybody any more, and ends the timer unless it was passed in. What waits is left to whoever stops the manager. */
    @Override
    public void close() {
        looking.cancel(false);
        if (ownsTimer) {
            timer.shutdownNow();
        }
        synchronized (this) {
            waiting.clear();
        }
    }

    /** A connected agent, and how many more commands it can begin at once. */
    private static final class Member {
        final AgentInfo agent;
        int free;

        Member(AgentInfo agent, int onTheirWay) {
            this.agent = agent;
            this.free = agent.concurrency() - agent.inFlight() - agent.waiting() - onTheirWay;
        }

        boolean hasMoreRoomThan(@Nullable Member other) {
            return other == null || (long) free * other.agent.concurrency() > (long) other.free * agent.concurrency();
        }
    }

    /** All who are connected, each time with another one first. The lock is held. */
    private List<Member> members() {
        List<Member> members = new ArrayList<>();
        for (AgentInfo agent : directory.list(true, null, Integer.MAX_VALUE)) {
            members.add(new Member(agent, onTheirWay.getOrDefault(agent.id(), 0)));
        }
        if (!members.isEmpty()) {
            Collections.rotate(members, -Math.floorMod(turn++, members.size()));
        }
        return members;
    }

    /** There may be more room than before. */
    private void look() {
        placeWaiting();
        roomListeners.forEach(Runnable::run);
    }

    /** Gives what waits to those who have room for it. */
    private void placeWaiting() {
        List<Run> placed = new ArrayList<>();
        synchronized (this) {
            if (waiting.isEmpty()) {
                return;
            }
            List<Member> members = members();
            Set<Need> unmet = new HashSet<>();
            for (Iterator<Run> next = waiting.iterator(); next.hasNext(); ) {
                members.removeIf(member -> member.free < 1);
                if (members.isEmpty()) {
                    break;
                }
                Run run = next.next();
                Member member = choose(run, members, unmet);
                if (member != null) {
                    next.remove();
                    member.free--;
                    onTheirWay.merge(member.agent.id(), 1, Integer::sum);
                    run.agent = member.agent.id();
                    placed.add(run);
                }
            }
        }
        placed.forEach(Run::give);
    }

    /** What a command needs of a member, beside room. */
    private record Need(Target.Group group, Eligibility.Check check) {}

    /** @param unmet what none of the members has, so that it is looked for once, however many wait for it */
    private @Nullable Member choose(Run run, List<Member> members, Set<Need> unmet) {
        Need need = new Need(run.group, run.check);
        if (unmet.contains(need)) {
            return null;
        }
        Member best = null;
        boolean isMet = false;
        for (Member member : members) {
            if (member.hasMoreRoomThan(best)
                    && run.group.includes(member.agent.labels())
                    && run.check.whyNot(member.agent) == null) {
                isMet = true;
                if (hasRoomFor(run, member.agent.id())) {
                    best = member;
                }
            }
        }
        if (!isMet) {
            unmet.add(need);
        }
        return best;
    }

    /** Whether the agent has room for the bytes, too. */
    private boolean hasRoomFor(Run run, String agentId) {
        try {
            agents().admit(run.commandFor(agentId).request());
            return true;
        } catch (CommandRejectedException full) {
            return false;
        }
    }

    private QueueingHandler agents() {
        if (registry.get(CommandIds.AGENT_EXECUTE) instanceof QueueingHandler handler) {
            return handler;
        }
        throw new IllegalStateException("nothing is registered that keeps commands to agents waiting");
    }

    private synchronized void arrived(String agentId) {
        onTheirWay.computeIfPresent(agentId, (id, count) -> count == 1 ? null : count - 1);
    }

    private void await(Run run, boolean first) {
        synchronized (this) {
            if (first) {
                waiting.addFirst(run);
            } else {
                waiting.addLast(run);
            }
        }
        // it may have been cancelled just before
        CancelCause cause = run.cause();
        if (cause != null) {
            run.withdraw(cause);
        }
        placeWaiting();
    }

    /** What the registry has for commands to groups. */
    private final class Members implements QueueingHandler {
        @Override
        public CommandRequest admit(CommandRequest request) throws CommandRejectedException {
            Target.Group group = (Target.Group) request.target();
            List<AgentInfo> able = ableMembers(group, request);
            CommandRejectedException refusal = null;
            for (AgentInfo agent : able) {
                try {
                    agents().admit(ForwardedCommand.request(request, new Target.Agent(agent.id())));
                    refusal = null;
                    break;
                } catch (CommandRejectedException e) {
                    refusal = e;
                }
            }
            if (refusal != null && !refusal.code().isRetryable()) {
                throw refusal;
            }
            boolean mayWait = !request.ttl().isZero() && waiting() < maxWaiting;
            if (!mayWait && (refusal != null || waiting() > 0 || room(group).places() < 1)) {
                throw new CommandRejectedException(
                        Code.TARGET_BUSY,
                        "no member of " + group + " has a free place, and "
                                + (request.ttl().isZero()
                                        ? "the request does not allow waiting"
                                        : "as many commands wait for one as may (" + maxWaiting + ")")
                                + "; try again later");
            }
            return request;
        }

        private List<AgentInfo> ableMembers(Target.Group group, CommandRequest request)
                throws CommandRejectedException {
            List<AgentInfo> all = directory.list(null, null, Integer.MAX_VALUE).stream()
                    .filter(agent -> group.includes(agent.labels()))
                    .toList();
            if (all.isEmpty()) {
                throw new CommandRejectedException(
                        Code.TARGET_UNKNOWN,
                        "no agent that belongs to " + group + " was ever connected here; check the labels");
            }
            List<AgentInfo> here = all.stream().filter(AgentInfo::connected).toList();
            if (here.isEmpty()) {
                throw new CommandRejectedException(
                        Code.TARGET_AWAY, "all members of " + group + " (" + all.size() + ") are away");
            }
            Eligibility.Check check = eligibility.of(request);
            List<AgentInfo> able =
                    here.stream().filter(agent -> check.whyNot(agent) == null).toList();
            if (able.isEmpty()) {
                List<String> reasons = here.stream()
                        .limit(SHOWN)
                        .map(agent -> agent.id() + ": " + check.whyNot(agent))
                        .toList();
                throw new CommandRejectedException(
                        Code.UNKNOWN_COMMAND,
                        "none of the " + here.size() + " members of " + group + " that are connected can execute it ("
                                + String.join("; ", reasons) + (here.size() > SHOWN ? "; and so on)" : ")"));
            }
            return able;
        }

        @Override
        public void handle(CommandContext context, Command command, long tag, ResultReceiver receiver) {
            RecordedCommand recorded = (RecordedCommand) command;
            // what was not handed over and was given to somebody may be there all the same, since the server was killed
            boolean mayBeThere = recorded.record().sentAt() == null;
            begin(new Run(context, recorded, tag, receiver), mayBeThere);
        }

        @Override
        public void resume(CommandContext context, RecordedCommand command, long tag, ResultReceiver receiver) {
            begin(new Run(context, command, tag, receiver), true);
        }

        private void begin(Run run, boolean mayBeThere) {
            String assignedTo = run.command.record().assignedTo();
            run.follow();
            if (mayBeThere && assignedTo != null) {
                run.resume(((Target.Agent) Target.parse(assignedTo)).id());
            } else {
                await(run, false);
            }
        }

        /** What a member has goes on there, and what nobody has is given to one by the next run. */
        @Override
        public boolean outlivesServer(RecordedCommand command) {
            return true;
        }
    }

    /** One command, from its arrival to its end. */
    private final class Run extends Passage {
        private final CommandContext context;
        private final RecordedCommand command;
        private final long tag;
        private final Target.Group group;
        private final Eligibility.Check check;

        /** To whom it goes. Written before anybody else gets to see it. */
        private volatile @Nullable String agent;

        private volatile boolean handedOver;

        Run(CommandContext context, RecordedCommand command, long tag, ResultReceiver receiver) {
            super(context, receiver);
            this.context = context;
            this.command = command;
            this.tag = tag;
            this.group = (Target.Group) command.request().target();
            this.check = eligibility.of(command.request());
        }

        RecordedCommand commandFor(String agentId) {
            return new ForwardedCommand(command, new Target.Agent(agentId));
        }

        void follow() {
            context.onCancel(this);
        }

        /** Goes to the agent that was chosen, once that is recorded. */
        void give() {
            String chosen = String.valueOf(agent);
            assign(tag, "agent:" + chosen).whenComplete((wanted, error) -> {
                CancelCause cause = cause();
                if (error != null) {
                    completeYield(
                            tag,
                            null,
                            new CommandException(
                                    Reason.EXECUTOR_ERROR,
                                    "it was not given to " + chosen + ", since that could not be recorded: "
                                            + CommandException.unwrap(error).getMessage()));
                } else if (cause != null) {
                    endUnplaced(cause);
                } else if (wanted) {
                    handle(chosen);
                }
                arrived(chosen);
            });
        }

        @SuppressWarnings("IllegalCatch")
        private void handle(String chosen) {
            try {
                agents().handle(this, commandFor(chosen), tag, this);
            } catch (Exception e) {
                if (e instanceof InterruptedException) {
                    Thread.currentThread().interrupt();
                }
                completeYield(tag, null, e);
            }
        }

        void resume(String agentId) {
            handedOver = true;
            agents().resume(this, commandFor(agentId), tag, this);
        }

        @Override
        public void accept(CancelCause why) {
            super.accept(why);
            withdraw(why);
        }

        /** Ends the wait, if it waits. */
        void withdraw(CancelCause why) {
            boolean waited;
            synchronized (AgentGroups.this) {
                waited = waiting.remove(this);
            }
            if (waited) {
                endUnplaced(why);
            }
        }

        /** Nobody has it. What was not handed over is ended by the manager; what came out of a queue counts as handed over. */
        private void endUnplaced(CancelCause why) {
            if (why == CancelCause.REQUESTED) {
                completeYield(
                        tag,
                        null,
                        new CommandException(
                                Reason.CANCELLED_BEFORE_START, "cancelled while it waited for a member of " + group));
            } else if (why == CancelCause.DEADLINE && command.record().sentAt() != null) {
                completeYield(
                        tag,
                        null,
                        new CommandException(
                                Reason.AGENT_UNREACHABLE,
                                "no member of " + group
                                        + " that can execute it had a free place until its time was over; it had no effect"));
            }
        }

        @Override
        public boolean handOver(long tag) {
            handedOver = super.handOver(tag);
            return handedOver;
        }

        @Override
        public void completeYield(long tag, @Nullable Object data, @Nullable Throwable error) {
            if (!handedOver
                    && agent != null
                    && error instanceof CommandException failure
                    && failure.reason() == Reason.REJECTED_BY_AGENT) {
                // others took the room between the choice and now
                agent = null;
                await(this, true);
                return;
            }
            super.completeYield(tag, data, error);
            look();
        }
    }

    /**
     * Builds {@link AgentGroups}. Defaults: members are those who have the command's type, or do not say which types they have; 10,000 commands may wait; a timer thread of its own. Not safe
     * for use by many threads.
     */
    public static final class Builder {
        private final AgentDirectory directory;
        private final Registry registry;
        private Eligibility eligibility = Eligibility.BY_TYPE;
        private int maxWaiting = 10_000;
        private @Nullable ScheduledExecutorService timer;

        private Builder(AgentDirectory directory, Registry registry) {
            this.directory = directory;
            this.registry = registry;
        }

        /** Sets what tells which members can execute a command. */
        public Builder eligibility(Eligibility eligibility) {
            this.eligibility = eligibility;
            return this;
        }

        /** Sets how many commands may wait for a member, from 0; more are refused. */
        public Builder maxWaiting(int maxWaiting) {
            this.maxWaiting = maxWaiting;
            return this;
        }

        /** Sets what looks once a second whether there is room; it stays the caller's. */
        public Builder timer(ScheduledExecutorService timer) {
            this.timer = timer;
            return this;
        }

        /** Makes them. */
        public AgentGroups build() {
            return new AgentGroups(this);
        }
    }
}
