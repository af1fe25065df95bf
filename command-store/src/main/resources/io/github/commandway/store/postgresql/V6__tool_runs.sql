-- The history of tools and toolchains; rows of other commands are not in it and cost nothing.
create index cw_command_tools on cw_command (created_at, seq) where substr(type, 1, 5) = 'tool:' or substr(type, 1, 10) = 'toolchain:';
