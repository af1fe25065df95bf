package io.github.commandway.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.http.FacadeFixture.Answer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

class AgentRoutesTest {
    @RegisterExtension
    final FacadeFixture server = new FacadeFixture();

    @Test
    void listsClientsPageByPage() {
        List<String> seen = new ArrayList<>();
        String after = "";
        do {
            JsonNode page = server.get("/api/clients?limit=2" + after).json();
            assertThat(page.get("total").asInt()).isEqualTo(3);
            page.get("clients")
                    .forEach(client -> seen.add(client.get("client_id").asString()));
            after = page.has("next_after") ? "&after=" + page.get("next_after").asString() : null;
        } while (after != null);

        assertThat(seen).containsExactly("client-001", "client-002", "client-away");
        assertThat(server.get("/api/clients?connected=false").text("/clients/0/client_id"))
                .isEqualTo("client-away");
        assertThat(server.get("/api/clients?connected=true").json().get("total").asInt())
                .isEqualTo(2);
    }

    @Test
    void showsOneClientWithItsUptime() {
        JsonNode client = server.get("/api/clients/client-001").json();

        assertThat(client.get("remote_addr").asString()).isEqualTo("127.0.0.1:50000");
        assertThat(client.get("connected_at").asString()).isEqualTo("2025-12-31T22:57:55Z");
        assertThat(client.get("uptime").asString()).isEqualTo("1h2m5s");
        assertThat(client.get("epoch").asLong()).isEqualTo(3);
        assertThat(client.at("/status/load").asDouble()).isEqualTo(0.5);
        assertThat(server.get("/api/clients/client-away").json().has("uptime")).isFalse();
        assertThat(server.get("/api/clients/nobody").status()).isEqualTo(404);
        assertThat(server.get("/api/clients/%20").status()).isEqualTo(404);
    }

    @Test
    void sendsAMessageToOneClient() {
        Answer answer = server.post(
                "/api/send",
                "{\"client_id\":\"client-001\",\"type\":\"query\",\"payload\":{\"q\": 1},\"wait_ack\":true}");

        assertThat(answer.status()).isEqualTo(200);
        assertThat(server.edge.messages).singleElement().satisfies(message -> {
            assertThat(message.id()).isEqualTo(answer.text("/msg_id"));
            assertThat(message.type()).isEqualTo("query");
            assertThat(new String(message.payload(), StandardCharsets.UTF_8)).isEqualTo("{\"q\": 1}");
        });
    }

    @Test
    void refusesMessagesThatCannotArrive() {
        assertThat(send("nobody", "event", "1").status()).isEqualTo(404);
        assertThat(send("client-away", "event", "1").status()).isEqualTo(503);
        assertThat(send("client-001", "shout", "1").text("/field")).isEqualTo("/type");
        Answer tooLarge = send("client-001", "event", "\"" + "x".repeat(70_000) + "\"");
        assertThat(tooLarge.status()).isEqualTo(413);
        assertThat(tooLarge.text("/field")).isEqualTo("/payload");
    }

    private Answer send(String clientId, String type, String payload) {
        return server.post(
                "/api/send",
                "{\"client_id\":\"" + clientId + "\",\"type\":\"" + type + "\",\"payload\":" + payload + "}");
    }

    @Test
    void broadcastsToAllConnectedClientsAndSaysWhichFailed() {
        server.edge.agents.put("broken-1", true);
        for (int i = 0; i < 1_500; i++) {
            server.edge.agents.put("many-" + i, true);
        }

        Answer answer = server.post("/api/broadcast", "{\"payload\":{\"news\":1}}");

        JsonNode json = answer.json();
        assertThat(json.get("success").asBoolean()).isFalse();
        assertThat(json.get("total").asInt()).isEqualTo(1_503);
        assertThat(json.get("success_count").asInt()).isEqualTo(1_502);
        assertThat(json.get("failed_count").asInt()).isEqualTo(1);
        assertThat(json.at("/errors/0").asString()).startsWith("broken-1: ");
        assertThat(server.edge.messages)
                .hasSize(1_502)
                .allMatch(message -> message.type().equals("event"));
    }
}
