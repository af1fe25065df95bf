package io.github.commandway.agent.command;

import io.github.commandway.agent.CommandRoutes;
import io.github.commandway.agent.RawHandler;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.ZoneId;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The commands that come with the agent. What can change or reveal much of the machine is off until the builder switches it on.
 *
 * <pre>{@code
 * BuiltinCommands builtins = BuiltinCommands.builder().files(Path.of("/srv/shared")).build();
 * CommandRouter router = CommandRouter.of(builtins::addTo);
 * }</pre>
 *
 * <p>Parameters and results are JSON objects; {@code ?} marks what may be missing.
 *
 * <table>
 * <caption>The commands</caption>
 * <tr><th>type</th><th>parameters</th><th>result</th></tr>
 * <tr><td>ping</td><td></td><td>pong, time</td></tr>
 * <tr><td>echo</td><td>anything</td><td>the same bytes</td></tr>
 * <tr><td>get_status</td><td></td><td>status, uptime (s), version, hostname, os, arch, java_version, num_cpu, num_threads, memory_used, memory_max (bytes of heap)</td></tr>
 * <tr><td>system.info</td><td></td><td>hostname, os, os_version, arch, num_cpu, memory_total, memory_free, swap_total, swap_free (bytes), load_average, cpu_load,
 * disks [name, type, total, free], java_version, java_vendor, pid, user, time, time_zone</td></tr>
 * <tr><td>exec_shell</td><td>command, timeout? (s), work_dir?</td><td>success, exit_code, stdout, stderr, message, truncated</td></tr>
 * <tr><td>file.read</td><td>path, max_size? (bytes, 1 MiB), encoding? (utf-8 or base64)</td><td>path, content, encoding, size, truncated</td></tr>
 * <tr><td>file.write</td><td>path, content, encoding?, mode? (overwrite, append or create), perm? (such as "0644")</td><td>path, written (bytes), success</td></tr>
 * <tr><td>file.list</td><td>path?, limit? (1,000)</td><td>path, entries [name, type, size, modified, perm], truncated</td></tr>
 * <tr><td>process.list</td><td>name? (part of the command), limit? (1,000)</td><td>total, processes [pid, parent_pid, user, command, start_time, cpu_seconds], truncated</td></tr>
 * <tr><td>process.kill</td><td>pid, signal? (TERM)</td><td>pid, signal, success, message</td></tr>
 * <tr><td>service.status, .start, .stop, .restart</td><td>name</td><td>name, status, success, message</td></tr>
 * <tr><td>config.get</td><td></td><td>version, config</td></tr>
 * <tr><td>config.update</td><td>config (merge patch, RFC 7396), expected_version?</td><td>success, old_version, new_version, config</td></tr>
 * <tr><td>network.ping</td><td>host, count? (3), timeout? (s for each try, 2), port? (TCP instead of ICMP)</td><td>host, address, method, sent, received, loss_percent,
 * min_ms, avg_ms, max_ms, success</td></tr>
 * </table>
 *
 * <p>What ends how: a command that did its work has completed, and where the work itself can turn out badly the result says so. So {@code exec_shell} with a
 * non-zero exit code has completed with {@code "success": false} and the code, and {@code network.ping} without an answer with {@code "success": false}.
 * Everything else that does not work is a failure: {@code rejected_by_agent} when nothing was started, {@code execution_timeout} when a process took too
 * long, {@code executor_error} for the rest.
 *
 * <p>{@code exec_shell} runs {@code /bin/sh -c} without input. Its output is also sent as it comes, on the channels {@code stdout} and {@code stderr}; in the
 * result each is cut at the limit, marked at its end and by {@code truncated}. It ends with the shell; what is left in its process group is killed then, so a
 * process that is to stay needs a session of its own ({@code setsid}) and its output elsewhere. On a timeout or when the command is cancelled, all its
 * processes are ended, those in sessions of their own too: first by SIGTERM, after the grace time by SIGKILL. Without {@code setsid(1)} (not Linux), a process
 * whose parent has ended already is not found.
 *
 * <p>{@code file.*} take paths relative to the root, without {@code ..}; links that lead out of the root, devices, pipes and sockets are refused. Overwriting and
 * creating replace the file at once and keep its permissions; a failure leaves the old content. Appending is one write at the end of the file, of which a
 * failure can leave a part. They need a system with files relative to open folders (Linux, not Windows).
 *
 * <p>Cannot be changed once it is built, and is safe for use by many threads.
 */
public final class BuiltinCommands {
    private final Consumer<CommandRoutes> routes;

    private BuiltinCommands(Consumer<CommandRoutes> routes) {
        this.routes = routes;
    }

    /** Starts with the defaults that the {@link Builder} names. */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Adds the commands that are switched on.
     *
     * @throws IllegalArgumentException if one of the types has a handler already
     */
    public void addTo(CommandRoutes target) {
        routes.accept(target);
    }

    /**
     * What is on and where its limits are. Defaults: {@link #basics}, {@link #processList} and {@link #networkPing} on; {@link #shell}, {@link #files},
     * {@link #processKill}, {@link #services} and {@link #config} off; no folders for the shell (any is allowed), at most 300 s, 64 KiB of each output, 2 s from
     * SIGTERM to SIGKILL; files up to 16 MiB; all services once they are on; version "unknown"; the system's clock.
     *
     * <p>For one thread.
     */
    public static final class Builder {
        private boolean basics = true;
        private boolean processList = true;
        private boolean networkPing = true;
        private boolean processKill;
        private boolean shell;
        private List<Path> shellFolders = List.of();
        private Duration shellMaxTimeout = Duration.ofMinutes(5);
        private int shellOutputLimit = 64 << 10;
        private Duration killGrace = Duration.ofSeconds(2);
        private Set<String> environment = Set.of(
                "PATH",
                "HOME",
                "USER",
                "LOGNAME",
                "SHELL",
                "LANG",
                "LC_ALL",
                "LC_CTYPE",
                "TZ",
                "TMPDIR",
                "SystemRoot",
                "ComSpec",
                "PATHEXT",
                "TEMP",
                "TMP");
        private @Nullable Path fileRoot;
        private int maxFileSize = 16 << 20;
        private boolean services;
        private Set<String> allowedServices = Set.of();
        private @Nullable Path configFile;
        private String version = "unknown";
        private Clock clock = Clock.system(ZoneId.systemDefault());

        private Builder() {}

        /** Switches ping, echo, get_status and system.info. */
        public Builder basics(boolean on) {
            basics = on;
            return this;
        }

        /** Switches process.list. */
        public Builder processList(boolean on) {
            processList = on;
            return this;
        }

        /** Switches process.kill, with which callers can end every process that the agent's user can. */
        public Builder processKill(boolean on) {
            processKill = on;
            return this;
        }

        /** Switches network.ping. */
        public Builder networkPing(boolean on) {
            networkPing = on;
            return this;
        }

        /** Switches exec_shell, with which callers can do whatever the agent's user can. */
        public Builder shell(boolean on) {
            shell = on;
            return this;
        }

        /**
         * Where shell commands may start. The first is the default. This is no fence: once started, a command can go anywhere.
         *
         * @param folders none for any folder, and the agent's own as the default
         */
        public Builder shellFolders(Path... folders) {
            shellFolders = List.of(folders);
            return this;
        }

        /**
         * The longest time that a caller may ask for; without asking it is 30 s, or this where it is shorter.
         *
         * @param limit at least one second
         */
        public Builder shellMaxTimeout(Duration limit) {
            shellMaxTimeout = limit;
            return this;
        }

        /**
         * How much of stdout, and of stderr, is in the result.
         *
         * @param bytes at least 1, at most 16 MiB
         */
        public Builder shellOutputLimit(int bytes) {
            shellOutputLimit = bytes;
            return this;
        }

        /**
         * How long processes have from SIGTERM to SIGKILL.
         *
         * @param grace zero or more
         */
        public Builder killGrace(Duration grace) {
            killGrace = grace;
            return this;
        }

        /** Which of the agent's environment variables processes get, in place of the default ones; nothing else is passed on. */
        public Builder environment(String... names) {
            environment = Set.of(names);
            return this;
        }

        /**
         * Switches file.read, file.write and file.list on.
         *
         * @param root the folder that callers can reach into; must exist
         */
        public Builder files(Path root) {
            fileRoot = root;
            return this;
        }

        /**
         * The most that is read or written at once.
         *
         * @param bytes at least 1, at most 32 MiB, since as base64 it still has to fit into a result
         */
        public Builder maxFileSize(int bytes) {
            maxFileSize = bytes;
            return this;
        }

        /** Switches service.status, service.start, service.stop and service.restart, by systemd. */
        public Builder services(boolean on) {
            services = on;
            return this;
        }

        /**
         * Which services there are for callers.
         *
         * @param names none for all
         */
        public Builder allowedServices(String... names) {
            allowedServices = Set.of(names);
            return this;
        }

        /**
         * Switches config.get and config.update on.
         *
         * @param file where the configuration is kept, in the agent's own data folder; need not exist. Belongs to this object alone
         */
        public Builder config(Path file) {
            configFile = file;
            return this;
        }

        /** The host application's version, for get_status. */
        public Builder version(String applicationVersion) {
            version = applicationVersion;
            return this;
        }

        /** The clock and time zone that commands tell. */
        public Builder clock(Clock source) {
            clock = source;
            return this;
        }

        /**
         * Builds the commands.
         *
         * @throws IllegalArgumentException if a limit is out of its range
         * @throws UncheckedIOException if the root of the files, or the folder of the configuration, cannot be used
         * @throws UnsupportedOperationException if file commands are on where the system cannot confine them
         */
        public BuiltinCommands build() {
            require(!shellMaxTimeout.minusSeconds(1).isNegative(), "shellMaxTimeout", shellMaxTimeout);
            require(shellOutputLimit >= 1 && shellOutputLimit <= 16 << 20, "shellOutputLimit", shellOutputLimit);
            require(!killGrace.isNegative(), "killGrace", killGrace);
            require(maxFileSize >= 1 && maxFileSize <= 32 << 20, "maxFileSize", maxFileSize);
            try {
                return new BuiltinCommands(assemble());
            } catch (IOException e) {
                throw new UncheckedIOException("built-in commands cannot be set up: " + e.getMessage(), e);
            }
        }

        private static void require(boolean good, String name, Object value) {
            if (!good) {
                throw new IllegalArgumentException(name + " is out of its range: " + value);
            }
        }

        private Consumer<CommandRoutes> assemble() throws IOException {
            Consumer<CommandRoutes> all = routes -> {};
            Map<String, String> passed = passedEnvironment();
            // For programs whose output is read here and not by people.
            Map<String, String> plain = new LinkedHashMap<>(passed);
            plain.put("LC_ALL", "C");
            ProcessRunner runner = new ProcessRunner(System::nanoTime, killGrace);
            if (basics) {
                SystemCommands system = new SystemCommands(clock, version);
                RawHandler echo = (context, payload) -> payload;
                all = all.andThen(routes -> routes.on("ping", SystemCommands.NoParams.class, system::ping)
                        .on("echo", echo)
                        .on("get_status", SystemCommands.NoParams.class, system::status)
                        .on("system.info", SystemCommands.NoParams.class, system::info));
            }
            if (shell) {
                ShellCommand exec = new ShellCommand(runner, passed, shellFolders, shellMaxTimeout, shellOutputLimit);
                all = all.andThen(routes -> routes.on("exec_shell", ShellCommand.Params.class, exec::execute));
            }
            if (fileRoot != null) {
                FileCommands files = new FileCommands(new FileRoot(fileRoot), maxFileSize, UUID::randomUUID);
                all = all.andThen(routes -> routes.on("file.read", FileCommands.ReadParams.class, files::read)
                        .on("file.write", FileCommands.WriteParams.class, files::write)
                        .on("file.list", FileCommands.ListParams.class, files::list));
            }
            ProcessCommands processes = new ProcessCommands(runner, plain);
            if (processList) {
                all = all.andThen(
                        routes -> routes.on("process.list", ProcessCommands.ListParams.class, processes::list));
            }
            if (processKill) {
                all = all.andThen(
                        routes -> routes.on("process.kill", ProcessCommands.KillParams.class, processes::kill));
            }
            if (services) {
                ServiceCommands systemd = new ServiceCommands(runner, plain, allowedServices);
                all = all.andThen(routes -> {
                    routes.on("service.status", ServiceCommands.Params.class, systemd::status);
                    for (String verb : List.of("start", "stop", "restart")) {
                        routes.on(
                                "service." + verb,
                                ServiceCommands.Params.class,
                                (context, params) -> systemd.change(context, verb, params));
                    }
                });
            }
            if (configFile != null) {
                ConfigCommands config = new ConfigCommands(configFile);
                all = all.andThen(routes -> routes.on("config.get", ConfigCommands.NoParams.class, config::get)
                        .on("config.update", ConfigCommands.UpdateParams.class, config::update));
            }
            if (networkPing) {
                NetworkCommands network =
                        new NetworkCommands(runner, plain, System::nanoTime, NetworkCommands.installedPing());
                all = all.andThen(routes -> routes.on("network.ping", NetworkCommands.PingParams.class, network::ping));
            }
            return all;
        }

        private Map<String, String> passedEnvironment() {
            Map<String, String> passed = new LinkedHashMap<>();
            System.getenv().forEach((name, value) -> {
                if (environment.contains(name)) {
                    passed.put(name, value);
                }
            });
            return passed;
        }
    }
}
