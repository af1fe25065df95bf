package io.github.commandway.agent.command;

import io.github.commandway.agent.ExecutionContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** {@code network.ping}: by the system's ping where there is one, by the JDK's own reachability test elsewhere, or by connecting to a TCP port. */
final class NetworkCommands {
    private static final Pattern HOST = Pattern.compile("[A-Za-z0-9:][A-Za-z0-9.:_%-]{0,252}");
    private static final Pattern COUNTS = Pattern.compile("(\\d+) packets transmitted, (\\d+) (?:packets )?received");
    private static final Pattern TIMES = Pattern.compile("min/avg/max(?:/\\w+)? = ([\\d.]+)/([\\d.]+)/([\\d.]+)");
    private static final int OUTPUT = 64 << 10;

    private final ProcessRunner runner;
    private final Map<String, String> environment;
    private final LongSupplier nanoTicker;
    private final List<Path> programs;

    /** @param programs where ping may be */
    NetworkCommands(
            ProcessRunner runner, Map<String, String> environment, LongSupplier nanoTicker, List<Path> programs) {
        this.runner = runner;
        this.environment = environment;
        this.nanoTicker = nanoTicker;
        this.programs = programs;
    }

    /** Where ping is, if it is; other systems give its options other meanings. */
    static List<Path> installedPing() {
        return System.getProperty("os.name", "").equals("Linux")
                ? List.of(Path.of("/usr/bin/ping"), Path.of("/bin/ping"))
                : List.of();
    }

    /**
     * @param count how many tries; 3 if null
     * @param timeout of each try, in seconds; 2 if null
     * @param port a TCP port to connect to, instead of ICMP; null for ICMP
     */
    record PingParams(
            String host,
            @Nullable Integer count,
            @Nullable Integer timeout,
            @Nullable Integer port) {
        PingParams {
            Checks.present("host", host);
            if (!HOST.matcher(host).matches()) {
                throw new IllegalArgumentException("'host' is neither a host name nor an address");
            }
            Checks.range("count", count, 1, 20);
            Checks.range("timeout", timeout, 1, 10);
            Checks.range("port", port, 1, 65535);
        }
    }

    /** @param success whether at least one try was answered */
    record PingResult(
            String host,
            String address,
            String method,
            int sent,
            int received,
            double lossPercent,
            @Nullable Double minMs,
            @Nullable Double avgMs,
            @Nullable Double maxMs,
            boolean success) {}

    PingResult ping(ExecutionContext context, PingParams params)
            throws IOException, CommandException, InterruptedException {
        InetAddress address;
        try {
            address = InetAddress.getByName(params.host);
        } catch (UnknownHostException e) {
            throw new CommandException(Reason.EXECUTOR_ERROR, "'" + params.host + "' has no address");
        }
        int count = params.count == null ? 3 : params.count;
        Duration timeout = Duration.ofSeconds(params.timeout == null ? 2 : params.timeout);
        if (params.port != null) {
            return probe(
                    context,
                    params.host,
                    address,
                    "tcp",
                    count,
                    () -> connects(new InetSocketAddress(address, params.port), timeout));
        }
        Optional<Path> program = programs.stream().filter(Files::isExecutable).findFirst();
        if (program.isPresent()) {
            return run(context, program.get(), params.host, address, count, timeout);
        }
        return probe(
                context,
                params.host,
                address,
                "reachable",
                count,
                () -> address.isReachable(Math.toIntExact(timeout.toMillis())));
    }

    private PingResult run(
            ExecutionContext context, Path program, String host, InetAddress address, int count, Duration timeout)
            throws IOException, CommandException, InterruptedException {
        // The address and not the name: it is looked up only once, and it cannot be taken for an option.
        List<String> argv = List.of(
                program.toString(),
                "-n",
                "-c",
                Integer.toString(count),
                "-W",
                Long.toString(timeout.toSeconds()),
                address.getHostAddress());
        Duration whole = timeout.plusSeconds(1).multipliedBy(count).plusSeconds(5);
        ProcessRunner.Outcome outcome =
                runner.run(context, new ProcessRunner.Task(argv, null, environment, whole, OUTPUT, false));
        return read(host, address, outcome.stdout().text())
                .orElseThrow(() -> new CommandException(
                        Reason.EXECUTOR_ERROR,
                        "ping failed with exit code " + outcome.exitCode() + ": "
                                + outcome.stderr().text().strip()));
    }

    /** Reads what ping prints at its end; empty if that is not there. */
    static Optional<PingResult> read(String host, InetAddress address, String output) {
        Matcher counts = COUNTS.matcher(output);
        if (!counts.find()) {
            return Optional.empty();
        }
        int sent = Integer.parseInt(counts.group(1));
        int received = Integer.parseInt(counts.group(2));
        Matcher times = TIMES.matcher(output);
        boolean timed = times.find();
        return Optional.of(result(
                host,
                address,
                "ping",
                sent,
                received,
                timed ? Double.valueOf(times.group(1)) : null,
                timed ? Double.valueOf(times.group(2)) : null,
                timed ? Double.valueOf(times.group(3)) : null));
    }

    private PingResult probe(
            ExecutionContext context, String host, InetAddress address, String method, int count, Probe probe)
            throws IOException, InterruptedException {
        int received = 0;
        long least = Long.MAX_VALUE;
        long most = 0;
        long sum = 0;
        for (int i = 0; i < count; i++) {
            if (context.isCancelled() || Thread.interrupted()) {
                throw new InterruptedException("cancelled");
            }
            long start = nanoTicker.getAsLong();
            if (probe.answered()) {
                long nanos = nanoTicker.getAsLong() - start;
                received++;
                sum += nanos;
                least = Math.min(least, nanos);
                most = Math.max(most, nanos);
            }
        }
        if (received == 0) {
            return result(host, address, method, count, 0, null, null, null);
        }
        return result(host, address, method, count, received, least / 1e6, sum / 1e6 / received, most / 1e6);
    }

    private static PingResult result(
            String host,
            InetAddress address,
            String method,
            int sent,
            int received,
            @Nullable Double min,
            @Nullable Double avg,
            @Nullable Double max) {
        double loss = sent == 0 ? 0 : 100.0 * (sent - received) / sent;
        return new PingResult(
                host, address.getHostAddress(), method, sent, received, loss, min, avg, max, received > 0);
    }

    private static boolean connects(InetSocketAddress address, Duration timeout) throws InterruptedException {
        // A channel, since an interrupt ends only a channel's connect.
        try (SocketChannel channel = SocketChannel.open()) {
            channel.socket().connect(address, Math.toIntExact(timeout.toMillis()));
            return true;
        } catch (ClosedByInterruptException e) {
            throw (InterruptedException) new InterruptedException("cancelled").initCause(e);
        } catch (IOException e) {
            // Refused, unreachable or too late: not answered, which is what was asked.
            return false;
        }
    }

    private interface Probe {
        boolean answered() throws IOException, InterruptedException;
    }
}
