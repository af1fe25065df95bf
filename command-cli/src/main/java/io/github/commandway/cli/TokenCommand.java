package io.github.commandway.cli;

import io.github.commandway.cli.Setting.Role;
import io.github.commandway.quic.identity.JoinToken;
import io.github.commandway.quic.identity.JoinTokens;
import io.github.commandway.quic.identity.JoinTokens.Listed;
import io.github.commandway.quic.identity.JoinTokens.Terms;
import java.io.IOException;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "token",
        description =
                "Join tokens, with which agents on other machines get their certificates. Works on the server's data folder, whether it runs or not.",
        mixinStandardHelpOptions = true)
final class TokenCommand extends CommandGroup {
    TokenCommand(Surroundings surroundings) {
        super(new Create(surroundings), new List(surroundings), new Revoke(surroundings), new Release(surroundings));
    }

    /** What all of them need: the tokens of the data folder. */
    abstract static class OnTokens extends SettingsCommand {
        OnTokens(Surroundings surroundings) {
            // of the settings only the data folder, which is for all roles
            super(surroundings, Set.of(Role.OPERATOR));
        }

        JoinTokens tokens() throws IOException {
            return ServerIdentity.open(
                            surroundings().folder().resolve(settings().data()))
                    .tokens();
        }
    }

    @Command(name = "create", description = "Makes a join token and prints it. It is shown this once.")
    static final class Create extends OnTokens {
        @Option(names = "--agent", paramLabel = "<id>", description = "Only this agent may join with it.")
        private @Nullable String agentId;

        @Option(names = "--lifetime", paramLabel = "<duration>", description = "How long it can be used. Default: 24h")
        private String lifetime = "24h";

        @Option(names = "--uses", paramLabel = "<number>", description = "How often it can be used. Default: 1")
        private int uses = 1;

        @Option(
                names = "--reissue",
                description =
                        "An agent id that belongs to another key may be taken over with it, such as that of a machine that was set up anew.")
        private boolean reissue;

        Create(Surroundings surroundings) {
            super(surroundings);
        }

        @Override
        public Integer call() throws IOException {
            Terms terms;
            try {
                terms = new Terms(Optional.ofNullable(agentId), Kind.duration(lifetime), uses, reissue);
            } catch (IllegalArgumentException e) {
                throw new UsageException(String.valueOf(e.getMessage()), e);
            }
            JoinToken token = tokens().create(terms);
            print(token.text());
            return ExitCode.OK.code();
        }
    }

    @Command(name = "list", description = "Lists the join tokens that have not expired.")
    static final class List extends OnTokens {
        List(Surroundings surroundings) {
            super(surroundings);
        }

        @Override
        public Integer call() throws IOException {
            Table table = new Table("TOKEN", "AGENT", "USED", "EXPIRES", "STATE");
            for (Listed token : tokens().list()) {
                int most = token.terms().maxUses();
                String state = token.revoked() ? "revoked" : token.uses() >= most ? "used up" : "usable";
                table.row(
                        token.id(),
                        token.terms().agentId().orElse("any"),
                        token.uses() + (most == Integer.MAX_VALUE ? "" : " of " + most),
                        token.expiresAt().toString(),
                        state);
            }
            table.print(surroundings().out());
            return ExitCode.OK.code();
        }
    }

    @Command(
            name = "revoke",
            description = "Ends a join token. Agents that have joined with it keep their certificates.")
    static final class Revoke extends OnTokens {
        @Parameters(index = "0", paramLabel = "<token>", description = "The token's id, as list shows it.")
        private String id = "";

        Revoke(Surroundings surroundings) {
            super(surroundings);
        }

        @Override
        public Integer call() throws IOException {
            if (!tokens().revoke(id)) {
                throw new ApiException(
                        ExitCode.REFUSED,
                        "there is no usable join token '" + id + "'; see 'commandway token list'",
                        null);
            }
            print("revoked " + id);
            return ExitCode.OK.code();
        }
    }

    @Command(
            name = "release",
            description =
                    "Takes an agent's id away from its key: its certificate is no longer accepted, and the next agent that joins with the id gets it.")
    static final class Release extends OnTokens {
        @Parameters(index = "0", paramLabel = "<agent>", description = "The agent's id.")
        private String id = "";

        Release(Surroundings surroundings) {
            super(surroundings);
        }

        @Override
        public Integer call() throws IOException {
            if (!tokens().release(id)) {
                throw new ApiException(ExitCode.REFUSED, "no agent has joined with the id '" + id + "'", null);
            }
            print("released " + id);
            return ExitCode.OK.code();
        }
    }
}
