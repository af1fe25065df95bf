-- Whom a group gave the command to, such as agent:client-001; written before it is given.
alter table cw_command add column assigned_to text;
