"""Runs the README's own curl lines against a running demo and checks the answers."""

import json
import os
import re
import subprocess
import sys
import time

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "README.md")
BLOCK = re.compile(r"<!-- curl: ([^>]+?) -->\n```bash\n(.*?)```", re.S)


def fail(message):
    sys.exit("README: " + message)


def main():
    port = sys.argv[1]
    with open(README, encoding="utf-8") as file:
        text = file.read()
    blocks = dict(BLOCK.findall(text))
    if len(re.findall(r"^curl ", text, re.M)) != len(blocks):
        fail("every curl line needs a block of its own, marked with <!-- curl: name -->")
    used = set()
    environment = dict(os.environ, COMMAND_ID="", TASK_ID="")

    def run(name):
        used.add(name)
        if name not in blocks:
            fail("there is no block marked <!-- curl: %s -->" % name)
        command = blocks[name].replace("localhost:8080", "localhost:" + port)
        command = command.replace("curl ", "curl --silent --show-error --fail-with-body --max-time 60 ", 1)
        print("$ " + blocks[name].strip())
        result = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True)
        print(result.stdout.strip() + result.stderr)
        if result.returncode != 0:
            fail("the block '%s' ended with %d" % (name, result.returncode))
        return result.stdout

    def check(name, what, actual, expected):
        if actual != expected:
            fail("the block '%s': %s is %r instead of %r" % (name, what, actual, expected))

    def check_restarted(name, command):
        check(name, "command_id", command["command_id"], environment["COMMAND_ID"])
        check(name, "client_id", command["client_id"], "client-001")
        check(name, "command_type", command["command_type"], "restart")
        check(name, "payload", command["payload"], {"delay_seconds": 5})
        check(name, "status", command["status"], "completed")
        check(name, "result", command["result"], {"success": True, "message": "Restarted successfully"})
        check(name, "timeout", command["timeout"], 30000000000)
        for time_of in ("created_at", "sent_at", "completed_at"):
            if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", command[time_of]):
                fail("the block '%s': %s is %r" % (name, time_of, command[time_of]))

    answer = json.loads(run("send"))
    check("send", "success", answer["success"], True)
    check("send", "message", answer["message"], "Command sent successfully")
    environment["COMMAND_ID"] = answer["command_id"]

    statuses = []
    end = time.monotonic() + 60
    while not statuses or statuses[-1] in ("pending", "executing"):
        if time.monotonic() > end:
            fail("the command has not ended: " + ", ".join(statuses))
        command = json.loads(run("get"))["command"]
        statuses.append(command["status"])
        time.sleep(0.5)
    if "executing" not in statuses:
        fail("the command was never seen executing: " + ", ".join(statuses))
    check_restarted("get", command)
    check_restarted("wait", json.loads(run("wait"))["command"])

    events = re.findall(r"^event: (.*)$", run("events"), re.M)
    if events[:3] != ["pending", "sent", "executing"] or events[-1] != "completed":
        fail("the events are " + ", ".join(events))

    for name in ("list", "list by client", "list by status"):
        answer = json.loads(run(name))
        check(name, "success", answer["success"], True)
        if environment["COMMAND_ID"] not in [command["command_id"] for command in answer["commands"]]:
            fail("the block '%s' does not list the command" % name)

    answer = json.loads(run("task"))
    check("task", "success", answer["success"], True)
    check("task", "message", answer["message"], "任务已加入队列")
    if not re.fullmatch(r"task_\d{8}_\d{6}_[0-9a-f]{6}", answer["task_id"]):
        fail("the task id is %r" % answer["task_id"])
    environment["TASK_ID"] = answer["task_id"]
    task = {"status": "pending"}
    end = time.monotonic() + 60
    while task["status"] in ("pending", "running"):
        if time.monotonic() > end:
            fail("the task has not ended: %r" % task)
        task = json.loads(run("task status"))
        time.sleep(0.5)
    check("task status", "status", task["status"], "completed")
    check("task status", "result", task["result"]["success"], True)
    check("queue status", "completed_tasks", json.loads(run("queue status"))["completed_tasks"], 1)

    check("tool", "the output", run("tool"), "3 words: one two three\n")

    if used != set(blocks):
        fail("these blocks are not checked: " + ", ".join(sorted(set(blocks) - used)))


main()
