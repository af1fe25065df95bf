/** Databases as commands: queries, changes, prepared statements and transactions on any {@link javax.sql.DataSource}. */
package io.github.commandway.sql;
