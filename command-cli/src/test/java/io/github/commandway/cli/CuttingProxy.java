package io.github.commandway.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicInteger;

/** Passes HTTP on to a server, and cuts each of the first connections after its first event, as a network does that goes away. */
final class CuttingProxy implements AutoCloseable {
    private final URI target;
    private final int cuts;
    private final ServerSocket listening;
    private final AtomicInteger connections = new AtomicInteger();

    CuttingProxy(String target, int cuts) throws IOException {
        this.target = URI.create(target);
        this.cuts = cuts;
        listening = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread acceptor = new Thread(this::accept, "proxy");
        acceptor.setDaemon(true);
        acceptor.start();
    }

    String address() {
        return "http://127.0.0.1:" + listening.getLocalPort();
    }

    int connections() {
        return connections.get();
    }

    private void accept() {
        while (!listening.isClosed()) {
            try {
                Socket client = listening.accept();
                boolean cut = connections.incrementAndGet() <= cuts;
                Thread thread = new Thread(() -> pass(client, cut), "proxy connection");
                thread.setDaemon(true);
                thread.start();
            } catch (IOException e) {
                if (!listening.isClosed()) {
                    throw new UncheckedIOException(e);
                }
            }
        }
    }

    private void pass(Socket client, boolean cut) {
        try (client;
                Socket server = new Socket(target.getHost(), target.getPort())) {
            BufferedReader request =
                    new BufferedReader(new InputStreamReader(client.getInputStream(), StandardCharsets.ISO_8859_1));
            StringBuilder head = new StringBuilder();
            for (String line = request.readLine(); line != null && !line.isEmpty(); line = request.readLine()) {
                head.append(line.startsWith("Host:") ? "Host: " + target.getAuthority() : line)
                        .append("\r\n");
            }
            server.getOutputStream().write((head + "\r\n").getBytes(StandardCharsets.ISO_8859_1));
            OutputStream out = client.getOutputStream();
            byte[] buffer = new byte[4096];
            StringBuilder seen = new StringBuilder();
            for (int count = server.getInputStream().read(buffer);
                    count >= 0;
                    count = server.getInputStream().read(buffer)) {
                out.write(buffer, 0, count);
                out.flush();
                seen.append(new String(buffer, 0, count, StandardCharsets.ISO_8859_1));
                if (cut && seen.indexOf("data: ") >= 0) {
                    return;
                }
            }
        } catch (IOException e) {
            // either end went away, which ends this connection
            connections.get();
        }
    }

    @Override
    public void close() throws IOException {
        listening.close();
    }
}
