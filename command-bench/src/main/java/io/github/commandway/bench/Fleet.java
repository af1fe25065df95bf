package io.github.commandway.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** A server and agents, each in a JVM of its own. */
record Fleet(BenchDirectory directory, ChildProcess server, ChildProcess agents) implements AutoCloseable {

    /** A heap that gives back what it does not need: with the default a server keeps what the handshakes have used. */
    static final List<String> SERVER_FLAGS = List.of(
            "-Xms32m",
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:MinHeapFreeRatio=10",
            "-XX:MaxHeapFreeRatio=20",
            "-Dio.netty.leakDetection.level=disabled");

    private static final List<String> AGENT_FLAGS =
            List.of("-Xmx4g", "-XX:+UseParallelGC", "-Dio.netty.leakDetection.level=disabled");

    static Fleet start(boolean withTokens) throws IOException {
        BenchDirectory directory = BenchDirectory.create();
        List<String> place = List.of(directory.path().toString());
        ChildProcess server = ChildProcess.start(
                ServerProcess.class, SERVER_FLAGS, withTokens ? List.of(place.get(0), "tokens") : place);
        List<String> arguments = new ArrayList<>(place);
        arguments.addAll(List.of(server.answer().split(" ")));
        ChildProcess agents = ChildProcess.start(AgentsProcess.class, AGENT_FLAGS, arguments);
        return new Fleet(directory, server, agents);
    }

    @Override
    public void close() throws IOException {
        agents.close();
        server.close();
        directory.close();
    }
}
