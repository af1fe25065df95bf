package io.github.commandway.cli;

import io.github.commandway.directory.AgentInfo;
import io.github.commandway.directory.AgentListener;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.http.TaskOptions;
import io.github.commandway.manager.RetryPolicy;
import io.github.commandway.manager.Target;
import io.github.commandway.queue.AgentGroups;
import io.github.commandway.queue.CommandQueues;
import io.github.commandway.queue.QueueOptions;
import io.github.commandway.queue.Room;
import io.github.commandway.quic.AgentServer;
import java.time.Clock;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;

/**
 * The queues that the settings ask for.
 *
 * @param all the one that takes the tasks first
 */
record ServerQueues(List<Queue> all) {
    /** The queue that the commands of conversations wait in. */
    static final String CONVERSATIONS = "conversation";

    private static final int CONVERSATIONS_AT_A_TIME = 16;

    /** One queue and who executes what is in it. */
    record Queue(QueueOptions options, Target target) {}

    /**
     * Reads them.
     *
     * @throws UsageException if what a queue is to be is not allowed
     */
    static ServerQueues of(Settings settings) {
        List<Queue> all = new ArrayList<>();
        QueueOptions first = QueueOptions.serial(settings.text(Setting.QUEUE))
                .withConcurrency(settings.number(Setting.QUEUE_CONCURRENCY))
                .withMaxWaiting(settings.number(Setting.QUEUE_MAX_WAITING))
                .withRetry(retry(settings.number(Setting.QUEUE_RETRIES)));
        all.add(new Queue(first, Target.parse(settings.text(Setting.QUEUE_TARGET))));
        for (Map.Entry<String, String> further : settings.map(Setting.QUEUES).entrySet()) {
            try {
                all.add(read(further.getKey(), further.getValue()));
            } catch (IllegalArgumentException e) {
                throw new UsageException(Setting.QUEUES.key() + ", " + further.getKey() + ": " + e.getMessage(), e);
            }
            if (further.getKey().equals(first.name())) {
                throw new UsageException(Setting.QUEUES.key() + ": there is a queue '" + first.name() + "' already, by "
                        + Setting.QUEUE.key());
            }
        }
        if (all.stream().noneMatch(queue -> queue.options().name().equals(CONVERSATIONS))) {
            QueueOptions conversations = QueueOptions.serial(CONVERSATIONS).withConcurrency(CONVERSATIONS_AT_A_TIME);
            all.add(new Queue(conversations, Target.parse(settings.text(Setting.CONVERSATION_TARGET))));
        }
        return new ServerQueues(all);
    }

    /** How tasks go into the first of them. */
    TaskOptions tasks(Settings settings, ServerStore store) {
        TaskOptions tasks = TaskOptions.of(all.get(0).options().name(), Clock.system(ZoneId.systemDefault()))
                .withMode(mode(settings))
                .withTimes(settings.duration(Setting.QUEUE_TIMEOUT), settings.duration(Setting.QUEUE_TTL));
        return settings.text(Setting.TASK_IDS).equals("number") ? tasks.withIds(store.countingIds()) : tasks;
    }

    static TaskOptions.Mode mode(Settings settings) {
        return TaskOptions.Mode.valueOf(settings.text(Setting.MODE).toUpperCase(Locale.ROOT));
    }

    private static Queue read(String name, String value) {
        String[] parts = value.split(";", -1);
        Kind.QUEUE_TARGET.check(parts[0].strip());
        QueueOptions options = QueueOptions.serial(name);
        for (String part : List.of(parts).subList(1, parts.length)) {
            String[] pair = part.split("=", 2);
            String key = pair[0].strip();
            String given = pair.length < 2 ? "" : pair[1].strip();
            try {
                options = with(options, key, given);
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException(key + ": " + e.getMessage(), e);
            }
        }
        return new Queue(options, Target.parse(parts[0].strip()));
    }

    private static QueueOptions with(QueueOptions options, String key, String given) {
        return switch (key) {
            case "concurrency" -> options.withConcurrency(Kind.wholeNumber(given, 1, 10_000_000));
            case "max-waiting" -> options.withMaxWaiting(Kind.wholeNumber(given, 1, 10_000_000));
            case "retries" -> options.withRetry(retry(Kind.wholeNumber(given, 0, 999)));
            default -> throw new IllegalArgumentException("is none of concurrency, max-waiting and retries");
        };
    }

    private static RetryPolicy retry(int retries) {
        return retries == 0 ? RetryPolicy.NONE : RetryPolicy.exponential(retries + 1);
    }

    /**
     * Makes them. What is for an agent waits until that is connected.
     *
     * @throws UsageException if nothing here executes commands for a target
     */
    CommandQueues build(Registry registry, AgentServer agents, AgentGroups groups, ServerTools tools) {
        CommandQueues.Builder builder = CommandQueues.builder(registry);
        for (Queue queue : all) {
            if (registry.get(queue.target().commandId()) == null
                    || (queue.target() instanceof Target.Tool tool && !tools.has(tool.name()))) {
                throw new UsageException(
                        "queue '" + queue.options().name() + "' leads to " + queue.target()
                                + ", and nothing here executes commands for that; an agent is named agent:<id>, and any of several group:<label>=<value>");
            }
            builder.queue(queue.options(), queue.target(), room(queue.target(), agents, groups));
        }
        CommandQueues queues = builder.build();
        agents.addListener(new AgentListener() {
            @Override
            public void onConnected(AgentInfo agent) {
                for (Queue queue : all) {
                    if (queue.target().equals(new Target.Agent(agent.id()))) {
                        queues.wake(queue.options().name());
                    }
                }
            }
        });
        groups.onRoom(() -> {
            for (Queue queue : all) {
                if (queue.target() instanceof Target.Group) {
                    queues.wake(queue.options().name());
                }
            }
        });
        return queues;
    }

    private static Supplier<Room> room(Target target, AgentServer agents, AgentGroups groups) {
        if (target instanceof Target.Group group) {
            return () -> groups.room(group);
        }
        if (!(target instanceof Target.Agent agent)) {
            return () -> Room.ANY;
        }
        return () -> agents.find(agent.id()).filter(AgentInfo::connected).isPresent() ? Room.ANY : Room.NONE;
    }

    /** What a queue does, for people. */
    static String described(Queue queue) {
        int concurrency = queue.options().concurrency();
        return queue.options().name() + " -> " + queue.target() + ", "
                + (concurrency == 1 ? "one at a time" : concurrency + " at a time");
    }
}
