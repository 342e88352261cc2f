package verify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"syntic/tensor/graph"
	"syntic/weights"
)

// Result says how one case went.
type Result struct {
	ID string `json:"id"`
	// RelErr is the relative error of the output that is worst against its
	// tolerance, Tol that tolerance; 1 and 0 where nothing could be compared.
	RelErr float64 `json:"relerr"`
	Tol    float64 `json:"tol"`
	Pass   bool    `json:"pass"`
	// Skipped says that the case could not be compared: see Options.Least.
	Skipped bool   `json:"skipped,omitempty"`
	Note    string `json:"note"` // the worst output's name, or what went wrong
}

// Options choose the cases and what runs them.
type Options struct {
	// Only selects cases by id; nil means all.
	Only *regexp.Regexp
	// Least is the least tolerance of a model's outputs: what a device that computes in
	// halves may err; 0 keeps the golden ones. With it a case whose tokens aren't the
	// golden ones is not compared: a near-tie may go either way.
	Least float64
	// Device makes the device of one model. It is closed, and with it the
	// packed weights are freed, before the next model begins. It may be nil when
	// no selected case runs a model.
	Device func() (graph.Device, error)
	// Tokenizer is CLIP's vocabulary, a file or a directory; empty means the
	// golden directory's own.
	Tokenizer string
}

// BF16 is the tolerance for products of bfloat16 between float32 values. Their
// operands err by up to 2⁻⁹ each, at random; through a whole model the outputs'
// relative errors are 3.3e-3 to 1.2e-2 at full size, and 1.9e-2 in the worst tiny
// case, whose sums are short.
const BF16 = 3e-2

// Int8 is the tolerance for products of int8, whose operands err by up to 2⁻⁹ of their
// group's span. Through a whole model the outputs' relative errors are 1.4e-2 to
// 3.5e-2 at full size, 3.1e-2 in the worst tiny case, and the margins between words
// that the decoder chooses from err by up to 4.6e-2.
const Int8 = 6e-2

// ErrNone is returned by Run when the directory has no case that Only selects.
var ErrNone = errors.New("no golden case was selected")

// Run replays the cases of a golden directory in the manifest's order, then the
// tokenizer's and the names', and reports each as it ends. Files are mapped and
// models loaded when their first case begins; one model is held at a time.
//
// Errors: a manifest that can't be read, ctx's, or ErrNone. What is wrong with
// one case is that case's failure.
func Run(ctx context.Context, dir string, o Options, report func(Result)) error {
	s, err := openSuite(dir, o)
	if err != nil {
		return err
	}
	defer s.close()
	ran := 0
	emit := func(r Result) {
		ran++
		report(r)
	}
	for _, part := range []func(context.Context, func(Result)) error{s.entries, s.tokenizer, s.names} {
		if err := part(ctx, emit); err != nil {
			return err
		}
	}
	if ran == 0 {
		return fmt.Errorf("%s: %w", dir, ErrNone)
	}
	return nil
}

// suite is a golden directory being replayed.
type suite struct {
	dir      string
	opts     Options
	manifest manifest
	files    map[string]weights.Source
}

func openSuite(dir string, o Options) (*suite, error) {
	s := &suite{dir: dir, opts: o, files: map[string]weights.Source{}}
	return s, s.manifest.read(filepath.Join(dir, "manifest.json"))
}

func (s *suite) close() {
	for _, f := range s.files {
		f.Close()
	}
}

func (s *suite) selected(id string) bool { return s.opts.Only == nil || s.opts.Only.MatchString(id) }

// path resolves a file that the manifest names.
func (s *suite) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

// exists reports whether the directory has this file: the tokenizer's cases and
// the names are optional parts.
func (s *suite) exists(name string) bool {
	_, err := os.Stat(s.path(name))
	return err == nil
}

// file returns the golden tensors of one file, mapped at the first call.
func (s *suite) file(name string) (weights.Source, error) {
	if f, ok := s.files[name]; ok {
		return f, nil
	}
	f, err := weights.OpenSafetensors(s.path(name))
	if err == nil {
		s.files[name] = f
	}
	return f, err
}

// player computes the outputs of the cases of one model.
type player interface {
	play(ctx context.Context, c *testCase) (map[string]array, error)
	close() error
}

// testCase is a manifest entry on its way through a player.
type testCase struct {
	*entry
	s *suite
}

// entries replays the manifest's cases. The model stays while the entries name
// the same kind, configuration and weights.
func (s *suite) entries(ctx context.Context, report func(Result)) error {
	var held player
	var key string
	release := func() {
		if held != nil {
			held.close()
			held = nil
		}
	}
	defer func() { release() }()
	for i := range s.manifest.Entries {
		e := &s.manifest.Entries[i]
		if !s.selected(e.ID) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		c := &testCase{e, s}
		if k := fmt.Sprint(e.Model, "|", e.Config, "|", e.Weights, "|", e.Seed); held == nil || k != key {
			release()
			err := contained(func() (err error) {
				held, err = s.open(e)
				return err
			})
			if err != nil {
				held = nil
				report(failure(e.ID, err))
				continue
			}
			key = k
		}
		r := s.replay(ctx, held, c)
		if err := ctx.Err(); err != nil {
			return err
		}
		report(r)
	}
	return nil
}

// open returns the player of an entry's kind.
func (s *suite) open(e *entry) (player, error) {
	switch e.Model {
	case "clip", "clip-vit-base-patch32":
		return openCLIP(s, e)
	case "sd-text-encoder", "sd15-text-encoder":
		return openText(s, e)
	case "detr", "detr-resnet-50":
		return openDETR(s, e)
	case "sd-unet", "sd15-unet":
		return openUNet(s, e)
	case "sd-vae", "sd15-vae":
		return openVAE(s, e)
	case "decap-gpt2":
		return openDecoder(s, e)
	case "scheduler":
		return openSched(s, e)
	case "preprocess":
		return preprocess{}, nil
	}
	return nil, fmt.Errorf("the kind %q isn't built yet", e.Model)
}

// replay runs one case and compares its outputs.
func (s *suite) replay(ctx context.Context, p player, c *testCase) (r Result) {
	err := contained(func() error {
		got, err := p.play(ctx, c)
		if err != nil {
			return err
		}
		r, err = c.compare(got)
		return err
	})
	if err != nil {
		return failure(c.ID, err)
	}
	return r
}

// contained runs f; a panic, such as a kernel's at a size that a wrong manifest
// made impossible, and a file cut short under its mapping are errors.
func contained(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return weights.Guard(f)
}

// failure is the result of a case that gave nothing to compare.
func failure(id string, err error) Result { return Result{ID: id, RelErr: 1, Note: err.Error()} }
