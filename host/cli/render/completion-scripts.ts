/** Scripts that ask `dvm __complete WORD...` what the last word may become: a line each, `VALUE<tab>DESCRIPTION`. */

const bash = `# bash completion for dvm: source it, or put it where bash-completion looks for it
_dvm() {
  local line IFS=$'\\n'
  local -a words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  COMPREPLY=()
  # bash splits words at colons and equals signs; what stands before them is not repeated
  while IFS= read -r line; do
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <("\${COMP_WORDS[0]}" __complete "\${words[@]}" 2>/dev/null)
  if [ "\${#COMPREPLY[@]}" -eq 0 ]; then
    compopt -o default
  fi
}
complete -F _dvm dvm
`;

const zsh = `#compdef dvm
# zsh completion for dvm: source it, or put it as _dvm into a folder of $fpath
_dvm() {
  local line
  local -a found
  while IFS= read -r line; do
    found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done < <("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#found} )); then
    _describe -t dvm dvm found
  else
    _files
  fi
}
if [ "$funcstack[1]" = "_dvm" ]; then
  _dvm "$@"
else
  compdef _dvm dvm
fi
`;

const fish = `# fish completion for dvm: source it, or put it into ~/.config/fish/completions
function __dvm_complete
    set -l words (commandline -opc) (commandline -ct)
    dvm __complete $words[2..-1] 2>/dev/null
end
complete -c dvm -a '(__dvm_complete)'
`;

export const completionScripts: ReadonlyMap<string, string> = new Map([
  ["bash", bash],
  ["zsh", zsh],
  ["fish", fish],
]);
