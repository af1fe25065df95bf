package io.github.commandway.http;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The shapes of answers, by name. */
final class Schemas {
    /** Not JSON: server-sent events. */
    static final String EVENTS = "text/event-stream";
    /** Not JSON: plain text. */
    static final String TEXT = "text/plain";
    /** No body. */
    static final String NOTHING = "";

    /** The output of a run: plain text, unless JSON or events were asked for. */
    static final String OUTPUT = "output";
    /** Not JSON: a file. */
    static final String FILE = "application/octet-stream";
    /** Not JSON: a page for people, or the same as plain text. */
    static final String HTML = "text/html";

    /** JSON of no fixed shape. */
    static final String ANY = "any";

    static final String PROBLEM = "Problem";
    /** With a number of the task API as its code. */
    static final String TASK_PROBLEM = "TaskProblem";

    /**
     * A schema begins with its name at the margin; then come its members and their types. {@code []} ends the type of an array, {@code any} is any JSON value.
     */
    private static final String TABLE = """
            Command command_id:string client_id:string target:string command_type:string payload:any status:string result:any
                error:string reason:string assigned_to:string created_at:date-time sent_at:date-time started_at:date-time completed_at:date-time
                timeout:integer ttl:integer attempt:integer cancel_requested:boolean omitted:string[]
            Submitted success:boolean command_id:string message:string command:Command
            Found success:boolean command:Command
            Commands success:boolean total:integer commands:Command[] next_cursor:string
            Cancelled success:boolean command_id:string outcome:string message:string command:Command
            Result client_id:string command_id:string status:string result:any error:string reason:string code:string
                omitted:string[]
            MultiResult success:boolean task_id:string total:integer success_count:integer failed_count:integer
                open_count:integer results:Result[] message:string
            MultiCancelled success:boolean task_id:string total:integer cancelled_count:integer open_count:integer
                message:string
            Client client_id:string remote_addr:string connected_at:date-time uptime:string connected:boolean epoch:integer
                transport:string last_seen_at:date-time disconnect_reason:string version:string labels:any capabilities:string[]
                waiting:integer in_flight:integer status:any
            Clients total:integer clients:Client[] next_after:string
            MessageSent success:boolean msg_id:string message:string
            Broadcast success:boolean msg_id:string total:integer success_count:integer failed_count:integer errors:string[]
            Session id:string user_id:string scope_type:string scope_id:string status:string version:integer
                round_sequence:integer created_at:date-time updated_at:date-time
            SessionAnswer code:integer msg:string data:Session
            Sessions sessions:Session[] next_after:string
            SessionsAnswer code:integer msg:string data:Sessions
            Accepted accepted:boolean command_id:string existing:boolean command:any
            CommandAccepted code:integer msg:string data:Accepted
            SessionCommand command_id:string type:string status:string submitted_at:date-time correlation_id:string
                ended_at:date-time error:string result:any
            SessionCommandAnswer code:integer msg:string data:SessionCommand
            PendingCommand command_id:string command_type:string status:string submitted_at:date-time
            PendingCommandAnswer code:integer msg:string data:PendingCommand
            Round session_id:string round_path:string role:string input:any output:any correlation_id:string
                created_at:date-time
            Rounds rounds:Round[] next_after:string
            RoundsAnswer code:integer msg:string data:Rounds
            Health status:string time:date-time tools:ToolHealth
            ToolHealth processes_ended_by:string sandbox:boolean running:integer waiting:integer problems:integer
            ToolRequest cmd:string toolchain:string version:string args:string[] params:any env:any stdin:string
                stdin_base64:string inputs:any dry_run:boolean
            Run success:boolean id:string tool:string toolchain:string on:string user:string status:string reason:string
                error:string exit_code:integer created_at:date-time started_at:date-time ended_at:date-time
                cancel_requested:boolean request:any result:any omitted:string[]
            RunOutput success:boolean id:string tool:string toolchain:string on:string user:string status:string reason:string
                error:string exit_code:integer created_at:date-time started_at:date-time ended_at:date-time
                cancel_requested:boolean request:any result:any pieces:OutputPiece[] output_complete:boolean next:string
            OutputPiece at:date-time channel:string text:string base64:string charset:string
            RunCancelled success:boolean id:string outcome:string message:string run:Run
            History success:boolean total:integer runs:Run[] next_cursor:string
            RunFiles success:boolean id:string total:integer files:RunFile[]
            RunFile path:string size:integer
            Tools success:boolean total:integer tools:Tool[] problems:string[]
            Tool name:string version:string newest:boolean commit:string description:string isolation:string
                methods:string[] max_args:integer parameters:Parameter[]
            Toolchains success:boolean total:integer toolchains:Toolchain[]
            Toolchain name:string description:string parameters:Parameter[] steps:any
            Schedules success:boolean total:integer schedules:Schedule[]
            Schedule name:string description:string cron:string zone:string tool:string toolchain:string on:string user:string
                enabled:boolean next:date-time[] last:date-time run:string problem:string
            Parameter name:string type:string required:boolean description:string default:string pattern:string
                choices:string[] min:number max:number max_length:integer
            Ready status:string time:date-time checks:any
            OpenApi openapi:string info:any servers:any paths:any components:any security:any
            TaskApi status:string message:string queue_mode:boolean
            TaskSubmitted success:boolean message:string task_id:string queue_size:integer note:string task:Task
            Task task_id:string status:string cmd_type:string cmd_id:string submit_time:string start_time:string end_time:string
                result:any duration:number reason:string attempt:integer position:integer queue:string not_before:string
                message:string cancel_requested:boolean omitted:string[]
            Tasks success:boolean total:integer tasks:Task[] next_cursor:string
            TaskCancelled success:boolean task_id:string outcome:string message:string task:Task
            TaskQueue queue_size:integer total_tasks:integer completed_tasks:integer failed_tasks:integer running_task:any
                queue:string paused:boolean running_tasks:string[]
            Queue name:string paused:boolean waiting:integer running:integer accepted:integer completed:integer failed:integer
                running_ids:string[] concurrency:integer max_waiting:integer max_attempts:integer
            Queues success:boolean total:integer queues:Queue[]
            QueueFound success:boolean queue:Queue
            QueueChanged success:boolean message:string cancelled:integer queue:Queue
            DeadLetter id:string topic:string key:string type:string payload:any attempts:integer error:string
                parked_at:date-time omitted:string[]
            DeadLetters success:boolean total:integer dead:DeadLetter[] next_after:integer
            DeadLetterDone success:boolean id:string message:string
            TaskProblem type:problem-type title:string status:integer detail:string code:integer field:string success:boolean
                message:string cmd_id:string task_id:string reason:string
            Problem type:problem-type title:string status:integer detail:string code:string field:string success:boolean
                message:string
            """;

    private Schemas() {}

    /** The {@code components/schemas} of the OpenAPI document. */
    static Map<String, Object> all() {
        Map<String, Object> schemas = new TreeMap<>();
        for (String schema : TABLE.split("\\n(?=\\w)")) {
            String[] words = schema.strip().split("\\s+");
            schemas.put(words[0], object(Arrays.asList(words).subList(1, words.length)));
        }
        return schemas;
    }

    static Map<String, Object> reference(String name) {
        return Map.of("$ref", "#/components/schemas/" + name);
    }

    private static Map<String, Object> object(List<String> members) {
        Map<String, Object> properties = new LinkedHashMap<>();
        for (String member : members) {
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
