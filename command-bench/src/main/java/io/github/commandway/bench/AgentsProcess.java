package io.github.commandway.bench;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.manager.RecordId;
import io.github.commandway.quic.AgentLink;
import io.github.commandway.quic.AgentLinkListener;
import io.github.commandway.quic.Assignment;
import io.github.commandway.quic.Holding;
import io.github.commandway.quic.JoinClient;
import io.github.commandway.quic.ServerAddress;
import io.github.commandway.quic.Transport;
import io.github.commandway.quic.TransportThreads;
import io.github.commandway.quic.identity.Identity;
import io.github.commandway.quic.identity.IdentityRequest;
import io.github.commandway.quic.identity.JoinToken;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/**
 * Many agents in a JVM of their own, which share a transport thread and never get a command. Arguments: the directory of the certificate
 * authority, the server's port, and its join token if it has one.
 *
 * <p>The questions are {@code issue N} (makes N identities; answers {@code ready}), {@code keys N} (makes N keys, likewise), {@code join N M} (gets as many keys certificates by the
 * token, at most M at a time; answers with the microseconds that it took), {@code connect N M} (connects as many of the identities, likewise) and {@code close} (ends all connections; answers
 * {@code closed}).
 */
public final class AgentsProcess {

    private static final Duration JOIN_TIMEOUT = Duration.ofSeconds(30);

    private final ServerAddress server;
    private final @Nullable JoinToken token;
    private final Issuer issuer;
    private final TransportThreads threads = new TransportThreads(1);
    private final Queue<Identity> identities = new ArrayDeque<>();
    private final Queue<IdentityRequest> keys = new ArrayDeque<>();
    private final List<AgentLink> links = new ArrayList<>();
    private int made;

    private AgentsProcess(String[] arguments) throws IOException {
        issuer = new Issuer(Path.of(arguments[0]));
        server = new ServerAddress("127.0.0.1", Integer.parseInt(arguments[1]));
        token = arguments.length > 2 ? JoinToken.parse(arguments[2]) : null;
    }

    /** Runs the agents until the input ends; what is open then dies with the process, also when something failed. */
    @SuppressWarnings("IllegalCatch")
    public static void main(String[] arguments) {
        try {
            new AgentsProcess(arguments).answer();
            System.exit(0);
        } catch (Throwable e) {
            e.printStackTrace();
            System.exit(1);
        }
    }

    private void answer() throws Exception {
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String question = questions.readLine(); question != null; question = questions.readLine()) {
            String[] words = question.split(" ");
            System.out.println(
                    switch (words[0]) {
                        case "issue" -> issue(Integer.parseInt(words[1]));
                        case "keys" -> makeKeys(Integer.parseInt(words[1]));
                        case "connect" -> connect(Integer.parseInt(words[1]), Integer.parseInt(words[2]));
                        case "join" -> join(Integer.parseInt(words[1]), Integer.parseInt(words[2]));
                        case "close" -> close();
                        default -> throw new IllegalArgumentException(question);
                    });
        }
    }

    private String issue(int count) throws IOException {
        for (int i = 0; i < count; i++) {
            identities.add(issuer.agent("agent-" + made++));
        }
        return "ready";
    }

    private String makeKeys(int count) {
        SecureRandom random = new SecureRandom();
        for (int i = 0; i < count; i++) {
            keys.add(IdentityRequest.create(random));
        }
        return "ready";
    }

    private long connect(int count, int concurrency) throws InterruptedException {
        Semaphore places = new Semaphore(concurrency);
        List<AgentLink> next = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            next.add(AgentLink.builder(new Idle(places))
                    .servers(List.of(server))
                    .identity(identities.remove())
                    .transport(Transport.QUIC)
                    .threads(threads)
                    .build());
        }
        long begin = System.nanoTime();
        for (AgentLink link : next) {
            places.acquire();
            link.start();
        }
        places.acquire(concurrency);
        long micros = (System.nanoTime() - begin) / 1_000;
        links.addAll(next);
        return micros;
    }

    private long join(int count, int concurrency) throws Exception {
        if (token == null) {
            throw new IllegalStateException("no join token was given");
        }
        ExecutorService workers = Executors.newFixedThreadPool(concurrency);
        List<Callable<Identity>> joins = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            String id = "agent-" + made++;
            IdentityRequest key = keys.remove();
            joins.add(() ->
                    JoinClient.join(server, Transport.QUIC, token, id, key, Clock.systemUTC(), JOIN_TIMEOUT, threads));
        }
        long begin = System.nanoTime();
        for (Future<Identity> answer : workers.invokeAll(joins)) {
            identities.add(answer.get());
        }
        long micros = (System.nanoTime() - begin) / 1_000;
        workers.shutdown();
        return micros;
    }

    private String close() {
        links.parallelStream().forEach(AgentLink::close);
        links.clear();
        return "closed";
    }

    /** An agent that frees a place when it is first connected. */
    private static final class Idle implements AgentLinkListener {

        private final Semaphore places;
        private boolean wasConnected;

        Idle(Semaphore places) {
            this.places = places;
        }

        @Override
        public void onConnected(ServerAddress server, Transport transport) {
            if (!wasConnected) {
                wasConnected = true;
                places.release();
            }
        }

        @Override
        public void onDisconnected(String reason) {
            if (!wasConnected) {
                System.err.println("an agent could not connect: " + reason);
            }
        }

        @Override
        public void onAssigned(List<Assignment> assignments) {}

        @Override
        public void onCancel(RecordId id, CancelCause cause) {}

        @Override
        public void onResultAcknowledged(List<RecordId> ids) {}

        @Override
        public List<Holding> holdings() {
            return List.of();
        }
    }
}
