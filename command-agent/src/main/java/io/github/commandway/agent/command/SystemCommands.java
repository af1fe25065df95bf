package io.github.commandway.agent.command;

import com.sun.management.OperatingSystemMXBean;
import io.github.commandway.agent.ExecutionContext;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.RuntimeMXBean;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.FileStore;
import java.nio.file.FileSystems;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;

/** {@code ping}, {@code get_status} and {@code system.info}. */
final class SystemCommands {
    private final Clock clock;
    private final String version;
    private final RuntimeMXBean jvm = ManagementFactory.getRuntimeMXBean();
    private final OperatingSystemMXBean system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);

    SystemCommands(Clock clock, String version) {
        this.clock = clock;
        this.version = version;
    }

    record NoParams() {}

    record Pong(boolean pong, String time) {}

    Pong ping(ExecutionContext context, NoParams params) {
        return new Pong(true, clock.instant().toString());
    }

    /**
     * @param uptime of the agent's process, in whole seconds
     * @param memoryUsed of the heap, in bytes
     * @param memoryMax of the heap, in bytes
     */
    record Status(
            String status,
            long uptime,
            String version,
            String hostname,
            String os,
            String arch,
            String javaVersion,
            int numCpu,
            int numThreads,
            long memoryUsed,
            long memoryMax) {}

    Status status(ExecutionContext context, NoParams params) {
        Runtime runtime = Runtime.getRuntime();
        return new Status(
                "running",
                jvm.getUptime() / 1000,
                version,
                hostname(),
                System.getProperty("os.name", ""),
                System.getProperty("os.arch", ""),
                Runtime.version().toString(),
                runtime.availableProcessors(),
                ManagementFactory.getThreadMXBean().getThreadCount(),
                runtime.totalMemory() - runtime.freeMemory(),
                runtime.maxMemory());
    }

    /**
     * @param memoryTotal of the machine or container, in bytes; free and swap likewise
     * @param loadAverage of the last minute; negative where the system has none
     * @param cpuLoad of the machine since the last look, from 0 to 1; negative if not known yet
     */
    record Info(
            String hostname,
            String os,
            String osVersion,
            String arch,
            int numCpu,
            long memoryTotal,
            long memoryFree,
            long swapTotal,
            long swapFree,
            double loadAverage,
            double cpuLoad,
            List<Disk> disks,
            String javaVersion,
            String javaVendor,
            long pid,
            String user,
            String time,
            String timeZone) {}

    /** @param total in bytes, as the others */
    record Disk(String name, String type, long total, long free) {}

    Info info(ExecutionContext context, NoParams params) {
        return new Info(
                hostname(),
                System.getProperty("os.name", ""),
                System.getProperty("os.version", ""),
                System.getProperty("os.arch", ""),
                Runtime.getRuntime().availableProcessors(),
                system.getTotalMemorySize(),
                system.getFreeMemorySize(),
                system.getTotalSwapSpaceSize(),
                system.getFreeSwapSpaceSize(),
                system.getSystemLoadAverage(),
                system.getCpuLoad(),
                disks(),
                Runtime.version().toString(),
                System.getProperty("java.vendor", ""),
                ProcessHandle.current().pid(),
                System.getProperty("user.name", ""),
                clock.instant().toString(),
                clock.getZone().getId());
    }

    private static List<Disk> disks() {
        List<Disk> disks = new ArrayList<>();
        for (FileStore store : FileSystems.getDefault().getFileStores()) {
            try {
                if (store.getTotalSpace() > 0) {
                    disks.add(new Disk(store.toString(), store.type(), store.getTotalSpace(), store.getUsableSpace()));
                }
            } catch (IOException e) {
                // Mounted for somebody else, or gone meanwhile: not a disk of ours.
            }
        }
        return disks;
    }

    private static String hostname() {
        try {
            return InetAddress.getLocalHost().getHostName();
        } catch (UnknownHostException e) {
            // The machine has a name, but no address is known for it.
            String name = System.getenv("HOSTNAME");
            return name == null ? "" : name;
        }
    }
}
