package io.github.commandway.cli;

import io.github.commandway.agent.CommandRouter;
import io.github.commandway.agent.ExecutionContext;
import io.github.commandway.agent.Middlewares;
import io.github.commandway.agent.command.BuiltinCommands;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/** What the reference agent can do: the built-in commands that are on, and {@code restart} and {@code update_config}. */
final class ReferenceCommands {
    private static final int LONGEST_DELAY_SECONDS = 3600;

    private ReferenceCommands() {}

    static CommandRouter router(Settings settings, Path agentFolder, Path folder) {
        BuiltinCommands.Builder builtins = BuiltinCommands.builder()
                .version(Commandway.Version.number())
                .config(agentFolder.resolve("config.json"))
                .shell(settings.isOn(Setting.ALLOW_SHELL))
                .processKill(settings.isOn(Setting.ALLOW_KILL))
                .services(settings.isOn(Setting.ALLOW_SERVICES));
        Optional<String> fileRoot = settings.given(Setting.FILE_ROOT);
        fileRoot.ifPresent(root -> builtins.files(folder.resolve(root)));
        CommandRouter basics = CommandRouter.of(builtins.build()::addTo);
        return CommandRouter.of(routes -> {
            routes.use(Middlewares.logging())
                    .use(Middlewares.recovery())
                    .on("restart", RestartParams.class, ReferenceCommands::restart)
                    .on("update_config", (context, payload) -> basics.execute(context, "config.update", payload));
            basics.types()
                    .forEach(type -> routes.on(type, (context, payload) -> basics.execute(context, type, payload)));
        });
    }

    /**
     * How to restart.
     *
     * @param delaySeconds how long it takes, from 0 to 3,600
     */
    record RestartParams(int delaySeconds) {
        RestartParams {
            if (delaySeconds < 0 || delaySeconds > LONGEST_DELAY_SECONDS) {
                throw new IllegalArgumentException(
                        "'delay_seconds' must be from 0 to " + LONGEST_DELAY_SECONDS + ", not " + delaySeconds);
            }
        }
    }

    record Answer(boolean success, String message) {}

    /** Restarts nothing: waits as long as it would take, and tells how far it is. */
    private static Answer restart(ExecutionContext context, RestartParams params) throws InterruptedException {
        for (int second = 0; second < params.delaySeconds(); second++) {
            context.progress((double) second / params.delaySeconds(), "restarting");
            Thread.sleep(Duration.ofSeconds(1).toMillis());
        }
        return new Answer(true, "Restarted successfully");
    }
}
