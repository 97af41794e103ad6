/** Why a path or a command line is refused. Part of the table of errors.ts, which has them too. */

/** The codes of `checkPath`: why a path is refused, in words a program can rely on. */
export const PATH_CODES = {
  ok: "The path may be used.",
  unknown_operation: "Nobody knows what is to be done with it.",
  empty: "There is no name in it.",
  nul: "It contains a NUL byte.",
  control_character: "It contains a control character.",
  invalid_unicode: "It contains half of a surrogate pair.",
  backslash: "It contains a backslash.",
  absolute: "It is absolute or names a drive.",
  traversal: "It contains `..`, or a name that folds to it.",
  git_directory: "It leads into a Git directory, in some spelling.",
  device_name: "It names a device on Windows.",
  trailing_dot: "A name in it ends with a dot or a blank, which Windows drops.",
  too_long: "It, or a name in it, is longer than file systems allow.",
  symlink_outside: "A symlink on the way leads out of the root.",
  symlink_loop: "Its symlinks never end.",
  special_file: "It is a FIFO, a socket, a device or a submodule.",
  hard_link: "The file has another name, perhaps outside the root.",
  too_large: "The file is too large to read as text.",
  unreadable: "The file system would not say what it is.",
  protected: "It becomes instructions or code for others, and no literal pattern names it.",
  out_of_scope: "It is outside the allowed paths.",
} as const satisfies Record<string, string>;

export type PathCode = keyof typeof PATH_CODES;

/** The codes of `checkCommand`: why a command line is refused, in words a program can rely on. */
export const COMMAND_CODES = {
  ok: "The command may run.",
  // The line
  empty: "There is no program, or an empty path.",
  line_too_long: "The line has more than 8,192 bytes.",
  too_many_words: "The line has more than 1,024 words.",
  nul: "It contains a NUL byte.",
  control_character: "It contains a control character.",
  invalid_unicode: "It contains half of a surrogate pair, or bytes that were no text.",
  hidden_character: "It contains an invisible or bidirectional character, or a blank that is no space.",
  newline: "It contains a line break, quoted or not.",
  operator: "It contains a shell operator.",
  redirection: "It redirects input or output.",
  substitution: "It contains a backtick or `$(`.",
  expansion: "It contains a `$` that a shell would expand.",
  brace_expansion: "It contains braces that a shell would expand.",
  tilde: "It contains a `~` that a shell would expand.",
  comment: "It contains a comment.",
  unfinished: "A quote is not closed, or a backslash has nothing after it.",
  env_prefix: "It sets a variable before the program.",
  foreign_dash: "A word begins with a dash that is not `-`.",
  // The program
  program_path: "The program is not a bare name.",
  program_quoted: "The program's name is quoted or escaped.",
  look_alike: "The program only looks like one on the list.",
  not_allowed: "Nothing on the list allows it.",
  denied: "The list of denied commands names it.",
  no_grammar: "The program is known only by name; the entry must say how it may run.",
  program_refused: "The program starts others, whatever its arguments.",
  // Its arguments
  flag: "The flag is not among those that are safe.",
  flag_value: "The value of a flag is missing or not safe.",
  subcommand: "The subcommand is not among those that are safe.",
  operand: "There are more arguments than are safe, or one is missing or not safe.",
  needs_entry: "It runs the project's code, which only an entry of several words allows.",
  script: "The script does more than edit text.",
  secret_file: "It names a file of secrets (`.env`).",
  // Paths, as in PATH_CODES
  backslash: PATH_CODES.backslash,
  absolute: "The path is absolute and not below the root.",
  traversal: "The path leads out of the root.",
  git_directory: PATH_CODES.git_directory,
  too_long: PATH_CODES.too_long,
  symlink_outside: PATH_CODES.symlink_outside,
  symlink_loop: PATH_CODES.symlink_loop,
  special_file: PATH_CODES.special_file,
  unreadable: PATH_CODES.unreadable,
} as const satisfies Record<string, string>;

export type CommandCode = keyof typeof COMMAND_CODES;
