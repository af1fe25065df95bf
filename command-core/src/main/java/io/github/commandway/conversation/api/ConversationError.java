package io.github.commandway.conversation.api;

/**
 * Why a call was not done.
 *
 * @param kind what went wrong, for programs
 * @param detail what went wrong in this case, and what would be right, for people
 */
public record ConversationError(Kind kind, String detail) {
    /** What can go wrong. */
    public enum Kind {
        /** The values of the call are not right. Fix them. */
        INVALID(400, "命令格式或数据无效"),
        /** There is no such session of this user. */
        ACCESS_DENIED(403, "用户无权访问指定会话"),
        /** There is no such thing in this session. */
        NOT_FOUND(404, "会话中没有该命令"),
        /** Something else is in the way: another command, or the state of the session. */
        CONFLICT(409, "并发冲突"),
        /** The session is not in the version that was expected. Read it again. */
        VERSION_MISMATCH(412, "会话版本不匹配"),
        /** It could not be recorded or read. */
        STORE_FAILED(500, "持久化操作失败"),
        /** Too much is under way. Try again later. */
        BUSY(503, "系统繁忙");

        private final int code;
        private final String message;

        Kind(int code, String message) {
            this.code = code;
            this.message = message;
        }

        /** As a status of HTTP. */
        public int code() {
            return code;
        }

        /** For the user, without the details. */
        public String message() {
            return message;
        }
    }

    /** As a status of HTTP. */
    public int code() {
        return kind.code();
    }

    /** For people: the kind and the detail. */
    public String message() {
        return kind.message() + ": " + detail;
    }

    @Override
    public String toString() {
        return code() + " " + message();
    }
}
