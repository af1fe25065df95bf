package io.github.commandway.http;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** The shapes of answers, by name. */
final class Schemas {
    /** Not JSON: server-sent events. */
    static final String EVENTS = "text/event-stream";
    /** Not JSON: plain text. */
    static final String TEXT = "text/plain";
    /** No body. */
    static final String NOTHING = "";

    /** JSON of no fixed shape. */
    static final String ANY = "any";

    static final String PROBLEM = "Problem";
    /** With a number of the task API as its code. */
    static final String TASK_PROBLEM = "TaskProblem";

    /** Members and their types; {@code []} ends the type of an array, {@code any} is any JSON value. */
    private static final Map<String, String> MEMBERS = Map.ofEntries(
            Map.entry(
                    "Command",
                    "command_id:string client_id:string target:string command_type:string payload:any status:string result:any error:string"
                            + " reason:string created_at:date-time sent_at:date-time started_at:date-time completed_at:date-time"
                            + " timeout:integer ttl:integer attempt:integer cancel_requested:boolean omitted:string[]"),
            Map.entry("Submitted", "success:boolean command_id:string message:string command:Command"),
            Map.entry("Found", "success:boolean command:Command"),
            Map.entry("Commands", "success:boolean total:integer commands:Command[] next_cursor:string"),
            Map.entry("Cancelled", "success:boolean command_id:string outcome:string message:string command:Command"),
            Map.entry(
                    "Result",
                    "client_id:string command_id:string status:string result:any error:string reason:string code:string omitted:string[]"),
            Map.entry(
                    "MultiResult",
                    "success:boolean task_id:string total:integer success_count:integer failed_count:integer open_count:integer"
                            + " results:Result[] message:string"),
            Map.entry(
                    "MultiCancelled",
                    "success:boolean task_id:string total:integer cancelled_count:integer open_count:integer message:string"),
            Map.entry(
                    "Client",
                    "client_id:string remote_addr:string connected_at:date-time uptime:string connected:boolean epoch:integer transport:string"
                            + " last_seen_at:date-time disconnect_reason:string version:string labels:any capabilities:string[]"
                            + " waiting:integer in_flight:integer status:any"),
            Map.entry("Clients", "total:integer clients:Client[] next_after:string"),
            Map.entry("MessageSent", "success:boolean msg_id:string message:string"),
            Map.entry(
                    "Broadcast",
                    "success:boolean msg_id:string total:integer success_count:integer failed_count:integer errors:string[]"),
            Map.entry(
                    "Session",
                    "id:string user_id:string scope_type:string scope_id:string status:string version:integer round_sequence:integer"
                            + " created_at:date-time updated_at:date-time"),
            Map.entry("SessionAnswer", "code:integer msg:string data:Session"),
            Map.entry("Sessions", "sessions:Session[] next_after:string"),
            Map.entry("SessionsAnswer", "code:integer msg:string data:Sessions"),
            Map.entry("Accepted", "accepted:boolean command_id:string existing:boolean command:any"),
            Map.entry("CommandAccepted", "code:integer msg:string data:Accepted"),
            Map.entry(
                    "SessionCommand",
                    "command_id:string type:string status:string submitted_at:date-time correlation_id:string ended_at:date-time"
                            + " error:string result:any"),
            Map.entry("SessionCommandAnswer", "code:integer msg:string data:SessionCommand"),
            Map.entry("PendingCommand", "command_id:string command_type:string status:string submitted_at:date-time"),
            Map.entry("PendingCommandAnswer", "code:integer msg:string data:PendingCommand"),
            Map.entry(
                    "Round",
                    "session_id:string round_path:string role:string input:any output:any correlation_id:string created_at:date-time"),
            Map.entry("Rounds", "rounds:Round[] next_after:string"),
            Map.entry("RoundsAnswer", "code:integer msg:string data:Rounds"),
            Map.entry("Health", "status:string time:date-time"),
            Map.entry("Ready", "status:string time:date-time checks:any"),
            Map.entry("OpenApi", "openapi:string info:any servers:any paths:any components:any security:any"),
            Map.entry("TaskApi", "status:string message:string queue_mode:boolean"),
            Map.entry(
                    "TaskSubmitted",
                    "success:boolean message:string task_id:string queue_size:integer note:string task:Task"),
            Map.entry(
                    "Task",
                    "task_id:string status:string cmd_type:string cmd_id:string submit_time:string start_time:string end_time:string result:any"
                            + " duration:number reason:string attempt:integer position:integer queue:string not_before:string message:string"
                            + " cancel_requested:boolean omitted:string[]"),
            Map.entry("Tasks", "success:boolean total:integer tasks:Task[] next_cursor:string"),
            Map.entry("TaskCancelled", "success:boolean task_id:string outcome:string message:string task:Task"),
            Map.entry(
                    "TaskQueue",
                    "queue_size:integer total_tasks:integer completed_tasks:integer failed_tasks:integer running_task:any queue:string"
                            + " paused:boolean running_tasks:string[]"),
            Map.entry(
                    "Queue",
                    "name:string paused:boolean waiting:integer running:integer accepted:integer completed:integer failed:integer"
                            + " running_ids:string[] concurrency:integer max_waiting:integer max_attempts:integer"),
            Map.entry("Queues", "success:boolean total:integer queues:Queue[]"),
            Map.entry("QueueFound", "success:boolean queue:Queue"),
            Map.entry("QueueChanged", "success:boolean message:string cancelled:integer queue:Queue"),
            Map.entry(
                    "DeadLetter",
                    "id:string topic:string key:string type:string payload:any attempts:integer error:string parked_at:date-time omitted:string[]"),
            Map.entry("DeadLetters", "success:boolean total:integer dead:DeadLetter[] next_after:integer"),
            Map.entry("DeadLetterDone", "success:boolean id:string message:string"),
            Map.entry(
                    TASK_PROBLEM,
                    "type:problem-type title:string status:integer detail:string code:integer field:string success:boolean message:string"
                            + " cmd_id:string task_id:string reason:string"),
            Map.entry(
                    PROBLEM,
                    "type:problem-type title:string status:integer detail:string code:string field:string success:boolean message:string"));

    private Schemas() {}

    /** The {@code components/schemas} of the OpenAPI document. */
    static Map<String, Object> all() {
        Map<String, Object> schemas = new LinkedHashMap<>();
        MEMBERS.keySet().stream().sorted().forEach(name -> schemas.put(name, object(MEMBERS.getOrDefault(name, ""))));
        return schemas;
    }

    static Map<String, Object> reference(String name) {
        return Map.of("$ref", "#/components/schemas/" + name);
    }

    private static Map<String, Object> object(String members) {
        Map<String, Object> properties = new LinkedHashMap<>();
        for (String member : members.split(" ")) {
            int colon = member.indexOf(':');
            properties.put(member.substring(0, colon), type(member.substring(colon + 1)));
        }
        return Map.of("type", "object", "properties", properties);
    }

    private static Map<String, Object> type(String type) {
        if (type.endsWith("[]")) {
            return Map.of("type", "array", "items", type(type.substring(0, type.length() - 2)));
        }
        return switch (type) {
            case "any" -> Map.of();
            case "date-time" -> Map.of("type", "string", "format", type);
            case "problem-type" ->
                Map.of(
                        "type",
                        "string",
                        "enum",
                        Arrays.stream(ProblemType.values())
                                .map(ProblemType::uri)
                                .toList());
            case "string", "integer", "number", "boolean" -> Map.of("type", type);
            default -> reference(type);
        };
    }
}
