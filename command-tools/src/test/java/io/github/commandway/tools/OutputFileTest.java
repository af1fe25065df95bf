package io.github.commandway.tools;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.tool.api.RunOutput;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OutputFileTest {
    @TempDir
    Path folder;

    private Path file() {
        return folder.resolve("output");
    }

    private void write(String... pieces) throws IOException {
        try (OutputFile output = new OutputFile(file(), Clock.systemUTC())) {
            output.begin(10 << 20, StandardCharsets.UTF_8);
            for (String piece : pieces) {
                byte[] bytes = piece.getBytes(StandardCharsets.UTF_8);
                assertThat(output.append("stdout", bytes, bytes.length)).isEqualTo(bytes.length);
            }
        }
    }

    private String read() throws IOException {
        StringBuilder text = new StringBuilder();
        for (RunOutput.Piece piece :
                OutputFile.read(file(), 0, Integer.MAX_VALUE).pieces()) {
            text.append(new String(piece.data(), StandardCharsets.UTF_8));
        }
        return text.toString();
    }

    @Test
    void whatFollowsAPieceThatWasNotWrittenWholeCanBeRead() throws IOException {
        write("one ", "two ");
        for (int cut = 1; cut < 13 + 4; cut++) {
            try (RandomAccessFile pieces = new RandomAccessFile(file().toFile(), "rw")) {
                pieces.setLength(2 * (13 + 4) - cut);
            }
            OutputFile.cutOff(file());
            write("two ");
            assertThat(read()).as("%s bytes were missing", cut).isEqualTo("one two ");
        }
    }

    @Test
    void whatIsWholeIsLeftAsItIs() throws IOException {
        OutputFile.cutOff(file());
        assertThat(file()).doesNotExist();

        write("one ", "two ");
        byte[] before = Files.readAllBytes(file());
        OutputFile.cutOff(file());
        assertThat(file()).hasBinaryContent(before);
    }

    @Test
    void aPieceMayBeOfAnyLength() throws IOException {
        String large = "x".repeat((3 << 20) + 1);
        write(large, "end");

        assertThat(read()).isEqualTo(large + "end");
    }
}
