package kernels

import (
	"regexp"
	"strings"
)

// instruction is one line of a function after its macros were expanded.
type instruction struct {
	line int // in the source
	op   string
	args []string
}

// function is one TEXT block.
type function struct {
	name, flags, frame string
	line               int
	code               []instruction
}

type macro struct {
	params []string
	body   string
}

var (
	word       = regexp.MustCompile(`[\pL_][\pL\d_]*`)
	defineLine = regexp.MustCompile(`^#define\s+(\w+)(\(([^)]*)\))?\s*(.*)$`)
	textLine   = regexp.MustCompile(`^TEXT\s+·?([^(<]+)(?:<>)?\(SB\)\s*,\s*([^,]*?)\s*,\s*(\S+)`)
	labelStart = regexp.MustCompile(`^\s*\w+:`)
)

// parseAssembly reads Go assembly: comments, #define (with continuation lines
// and parameters) and statements joined by semicolons.
func parseAssembly(src string) []function {
	macros := map[string]macro{}
	var fns []function
	lines := strings.Split(src, "\n")
	for i := 0; i < len(lines); i++ {
		start := i + 1
		text := lines[i]
		for strings.HasSuffix(strings.TrimRight(text, " \t"), `\`) && i+1 < len(lines) {
			i++
			text = strings.TrimRight(strings.TrimRight(text, " \t"), `\`) + " " + lines[i]
		}
		text = strings.TrimSpace(stripComment(text))
		if m := defineLine.FindStringSubmatch(text); m != nil {
			var params []string
			if m[2] != "" {
				params = splitArgs(m[3])
			}
			macros[m[1]] = macro{params, m[4]}
			continue
		}
		if strings.HasPrefix(text, "#") {
			continue
		}
		for _, s := range strings.Split(expand(text, macros, 0), ";") {
			s = strings.TrimSpace(labelStart.ReplaceAllString(strings.TrimSpace(s), ""))
			if s == "" {
				continue
			}
			if m := textLine.FindStringSubmatch(s); m != nil {
				fns = append(fns, function{name: m[1], flags: m[2], frame: m[3], line: start})
				continue
			}
			op, rest, _ := strings.Cut(s, " ")
			if op == "DATA" || op == "GLOBL" || len(fns) == 0 {
				continue
			}
			f := &fns[len(fns)-1]
			f.code = append(f.code, instruction{start, strings.TrimSpace(op), splitArgs(rest)})
		}
	}
	return fns
}

func stripComment(s string) string {
	if i := strings.Index(s, "//"); i >= 0 {
		s = s[:i]
	}
	return strings.ReplaceAll(s, "\t", " ")
}

// expand replaces macros until none is left; depth ends a recursive one.
func expand(s string, macros map[string]macro, depth int) string {
	if depth > 100 {
		return s
	}
	for _, at := range word.FindAllStringIndex(s, -1) {
		m, ok := macros[s[at[0]:at[1]]]
		if !ok {
			continue
		}
		end, args := at[1], []string(nil)
		if m.params != nil {
			open := strings.IndexByte(s[end:], '(')
			if open < 0 || strings.TrimSpace(s[end:end+open]) != "" {
				continue
			}
			body := end + open + 1
			end = body
			for n := 1; n > 0 && end < len(s); end++ {
				switch s[end] {
				case '(':
					n++
				case ')':
					n--
				}
			}
			args = splitArgs(s[body : end-1])
		}
		body := word.ReplaceAllStringFunc(m.body, func(w string) string {
			for i, p := range m.params {
				if p == w && i < len(args) {
					return args[i]
				}
			}
			return w
		})
		return expand(s[:at[0]]+body+s[end:], macros, depth+1)
	}
	return s
}

// splitArgs splits at commas outside of parentheses.
func splitArgs(s string) []string {
	var out []string
	depth, from := 0, 0
	for i := 0; i <= len(s); i++ {
		if i == len(s) || s[i] == ',' && depth == 0 {
			if a := strings.TrimSpace(s[from:i]); a != "" {
				out = append(out, a)
			}
			from = i + 1
			continue
		}
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		}
	}
	return out
}
