package io.github.commandway.quic;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import io.github.commandway.quic.TransportChannels.ClientTls;
import io.github.commandway.quic.identity.Identity;
import io.github.commandway.quic.identity.IdentityRequest;
import io.github.commandway.quic.identity.JoinRefusedException;
import io.github.commandway.quic.identity.JoinToken;
import io.github.commandway.quic.identity.PinnedTrustManager;
import io.github.commandway.quic.wire.Envelope;
import io.github.commandway.quic.wire.Goaway;
import io.github.commandway.quic.wire.JoinReply;
import io.github.commandway.quic.wire.JoinRequest;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** Gets a new agent its certificate from a server, by a join token. */
public final class JoinClient {
    private static final Duration HEARTBEAT = Duration.ofSeconds(10);

    private JoinClient() {}

    /**
     * Asks the server for a certificate. The server is known by the fingerprint in the token; the token's secret is sent to no other.
     * Blocks.
     *
     * @param transport {@link Transport#AUTO} unless one is to be left out
     * @param request the key that the certificate is for
     * @param timeout the longest time that it may take, from 1 ms
     * @param threads shared threads, or null to make one for this
     * @return the identity, which nobody has saved yet
     * @throws JoinException if the server refused, was not reached in time, or is another than the token's
     * @throws InterruptedException if the calling thread was interrupted; the token may have been used
     */
    public static Identity join(
            ServerAddress server,
            Transport transport,
            JoinToken token,
            String agentId,
            IdentityRequest request,
            Clock clock,
            Duration timeout,
            @Nullable TransportThreads threads)
            throws JoinException, InterruptedException {
        if (threads == null) {
            try (TransportThreads own = new TransportThreads(1)) {
                return join(server, transport, token, agentId, request, clock, timeout, own);
            }
        }
        JoinRequest message = JoinRequest.newBuilder()
                .setToken(token.text())
                .setAgentId(agentId)
                .setRequest(ByteString.copyFrom(request.der()))
                .build();
        ClientTls tls = new ClientTls(null, new PinnedTrustManager(token.caFingerprint(), clock));
        Asking asking = new Asking(threads, server, transport, message, tls);
        asking.connect(0);
        JoinReply reply;
        try {
            reply = asking.reply.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new JoinException(null, server + " did not answer the join request within " + timeout, e);
        } catch (ExecutionException e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            throw new JoinException(null, String.valueOf(cause.getMessage()), cause);
        } finally {
            asking.reply.cancel(false);
        }
        if (reply.getChainCount() == 0) {
            throw new JoinException(refusal(reply), server + " refused: " + reply.getMessage(), null);
        }
        try {
            return request.complete(certificates(reply), token.caFingerprint(), clock);
        } catch (IOException e) {
            throw new JoinException(null, server + " sent what is of no use: " + e.getMessage(), e);
        }
    }

    private static JoinRefusedException.@Nullable Reason refusal(JoinReply reply) {
        return Arrays.stream(JoinRefusedException.Reason.values())
                .filter(reason -> reason.name().equals(reply.getRefusal()))
                .findFirst()
                .orElse(null);
    }

    static List<X509Certificate> certificates(JoinReply reply) throws IOException {
        try {
            CertificateFactory factory = CertificateFactory.getInstance("X.509");
            List<X509Certificate> chain = new ArrayList<>();
            for (ByteString encoded : reply.getChainList()) {
                chain.add(
                        (X509Certificate) factory.generateCertificate(new ByteArrayInputStream(encoded.toByteArray())));
            }
            return chain;
        } catch (CertificateException e) {
            throw new IOException("the server sent what is not a certificate", e);
        }
    }

    /** One request to join, over one transport after the other. */
    private static final class Asking {
        private final TransportThreads threads;
        private final ServerAddress server;
        private final List<Transport> transports;
        private final JoinRequest request;
        private final ClientTls tls;
        private final CompletableFuture<JoinReply> reply = new CompletableFuture<>();

        Asking(
                TransportThreads threads,
                ServerAddress server,
                Transport transport,
                JoinRequest request,
                ClientTls tls) {
            this.threads = threads;
            this.server = server;
            this.request = request;
            this.tls = tls;
            transports = transport == Transport.AUTO ? List.of(Transport.QUIC, Transport.TCP) : List.of(transport);
        }

        void connect(int attempt) {
            Transport transport = transports.get(attempt);
            JoinConnection connection = new JoinConnection(reply);
            TransportChannels.connect(threads, threads.group().next(), server, transport, tls, HEARTBEAT, connection)
                    .addListener(connected -> {
                        if (connected.isSuccess()) {
                            connection.send(
                                    new Messages.Rare(Envelope.newBuilder().setJoinRequest(request)));
                            reply.whenComplete((answer, error) -> connection.close("done"));
                        } else if (attempt + 1 < transports.size()) {
                            connect(attempt + 1);
                        } else {
                            reply.completeExceptionally(new IOException(
                                    server + " cannot be reached: "
                                            + connected.cause().getMessage(),
                                    connected.cause()));
                        }
                    });
        }
    }

    /** The connection over which it is asked. */
    private static final class JoinConnection extends Connection {
        private final CompletableFuture<JoinReply> reply;

        JoinConnection(CompletableFuture<JoinReply> reply) {
            super(() -> 0);
            this.reply = reply;
        }

        @Override
        void onMessage(int field, CodedInputStream in) throws IOException {
            if (field == Envelope.JOIN_REPLY_FIELD_NUMBER) {
                reply.complete(JoinReply.parseFrom(in));
            } else if (field == Envelope.GOAWAY_FIELD_NUMBER) {
                reply.completeExceptionally(new IOException(
                        "the server refused: " + Goaway.parseFrom(in).getMessage()));
            }
        }

        @Override
        void onEnded(String reason) {
            reply.completeExceptionally(new IOException("the server did not answer the join request: " + reason));
        }
    }
}
