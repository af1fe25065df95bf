package io.github.commandway.store;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicReference;

/** Stands between a client and the PostgreSQL server, and can cut the connection at the moment of a commit. */
final class CommitProxy implements AutoCloseable {
    /** What becomes of the next commit. */
    enum Cut {
        /** The server gets it and does it, but its answer is lost. */
        ANSWER,
        /** The server never gets it. */
        REQUEST
    }

    private static final byte[] COMMITTED = "COMMIT\0".getBytes(StandardCharsets.US_ASCII);

    private final ServerSocket listening;
    private final int serverPort;
    private final Queue<Socket> sockets = new ConcurrentLinkedQueue<>();
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final AtomicReference<Cut> next = new AtomicReference<>();

    CommitProxy(int serverPort) throws IOException {
        this.serverPort = serverPort;
        listening = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        threads.execute(this::accept);
    }

    int port() {
        return listening.getLocalPort();
    }

    /** Cuts one connection, the next time that something is committed. */
    void cut(Cut what) {
        next.set(what);
    }

    /** Whether the cut has been made. */
    boolean hasCut() {
        return next.get() == null;
    }

    private void accept() {
        while (!listening.isClosed()) {
            try {
                Socket client = listening.accept();
                Socket server = new Socket(InetAddress.getLoopbackAddress(), serverPort);
                client.setTcpNoDelay(true);
                server.setTcpNoDelay(true);
                sockets.add(client);
                sockets.add(server);
                threads.execute(() -> pass(client, server, Cut.REQUEST));
                threads.execute(() -> pass(server, client, Cut.ANSWER));
            } catch (IOException closed) {
                return;
            }
        }
    }

    private void pass(Socket from, Socket to, Cut direction) {
        try (from;
                to) {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            byte[] buffer = new byte[64 << 10];
            for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
                if (isCommit(buffer, count, direction) && next.compareAndSet(direction, null)) {
                    return;
                }
                out.write(buffer, 0, count);
            }
        } catch (IOException cut) {
            // the other direction ends as well, since both sockets are closed
        }
    }

    private static boolean isCommit(byte[] buffer, int count, Cut direction) {
        String text = new String(buffer, 0, count, StandardCharsets.ISO_8859_1);
        return direction == Cut.ANSWER
                ? text.contains(new String(COMMITTED, StandardCharsets.ISO_8859_1))
                : text.toLowerCase(Locale.ROOT).contains("commit\0");
    }

    @Override
    public void close() {
        try {
            listening.close();
            for (Socket socket : sockets) {
                socket.close();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        threads.shutdownNow();
    }
}
