package io.github.commandway.quic;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ServerAddressTest {
    @ParameterizedTest
    @CsvSource({
        "example.org, example.org, 8474",
        "example.org:1, example.org, 1",
        "127.0.0.1:65535, 127.0.0.1, 65535",
        "[::1]:9000, ::1, 9000",
        "[::1], ::1, 8474",
        "::1, ::1, 8474"
    })
    void textIsHostAndPort(String text, String host, int port) {
        assertThat(ServerAddress.parse(text)).isEqualTo(new ServerAddress(host, port));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ":8474", "host:", "host:0", "host:65536", "host:x"})
    void otherTextIsRefused(String text) {
        assertThatThrownBy(() -> ServerAddress.parse(text)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void itsTextCanBeRead() {
        ServerAddress address = new ServerAddress("::1", 5);

        assertThat(ServerAddress.parse(address.toString())).isEqualTo(address);
    }
}
