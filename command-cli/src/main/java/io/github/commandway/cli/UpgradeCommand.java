package io.github.commandway.cli;

import io.github.commandway.cli.Setting.Role;
import io.github.commandway.tools.Artifact;
import io.github.commandway.tools.SignedRepository;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.semver4j.Semver;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "upgrade",
        description =
                "Exchanges this program for a newer version from a signed repository. The version before stays beside it. What runs goes on with the old one until it is started again.")
final class UpgradeCommand extends SettingsCommand {
    private static final String NAME = "commandway";

    @Option(names = "--check", description = "Only say whether there is a newer one.", order = 1)
    private boolean check;

    @Option(names = "--rollback", description = "Exchange it for the version before.", order = 2)
    private boolean rollback;

    @Option(
            names = "--to",
            paramLabel = "<version>",
            description = "This version or range, also if it is older. Default: the newest, if it is newer",
            order = 3)
    private String wanted = "";

    UpgradeCommand(Surroundings surroundings) {
        super(surroundings, Set.of(Role.PROGRAM));
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        Settings settings = settings();
        Program program = Program.ofThisProcess();
        if (rollback) {
            print("this was " + Commandway.Version.number() + " and is " + program.rollBack() + " from now on");
            return ExitCode.OK.code();
        }
        SignedRepository repository =
                Repositories.open(settings, surroundings().folder(), Setting.UPGRADE_REPOSITORY, Setting.UPGRADE_KEY);
        Artifact found = repository.find(NAME, wanted);
        if (wanted.isEmpty() && !isNewer(found.version(), Commandway.Version.number())) {
            print(Commandway.Version.number() + " is the newest");
            return ExitCode.OK.code();
        }
        if (check) {
            print("there is " + found.version() + "; this is " + Commandway.Version.number());
            return ExitCode.OK.code();
        }
        Path fresh = program.freshFile();
        try {
            repository.download(found, fresh);
            program.exchange(fresh, found.version());
        } finally {
            Files.deleteIfExists(fresh);
        }
        print("this was " + Commandway.Version.number() + " and is " + found.version() + " from now on");
        return ExitCode.OK.code();
    }

    private static boolean isNewer(String version, String than) {
        Semver one = Semver.parse(version);
        Semver other = Semver.parse(than);
        return (one == null || other == null) ? !version.equals(than) : one.isGreaterThan(other);
    }
}
