/** Commands, the handlers that execute them, and the registry between the two. */
package io.github.commandway.dispatch;
