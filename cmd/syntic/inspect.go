package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"syntic/tensor"
	"syntic/weights"
)

func newInspect(a *app) *cobra.Command {
	var finite, strict bool
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "List what a checkpoint holds, executing nothing of it",
		Long: `List the tensors of a safetensors or PyTorch file, or of a folder with one, and
which model it looks like. PyTorch's pickles are read without executing them;
one that holds anything but tensors is refused.`,
		Args: exactly(1, "a checkpoint"),
		RunE: func(_ *cobra.Command, args []string) error { return a.inspect(args[0], finite || strict, strict) },
	}
	cmd.Flags().BoolVar(&finite, "finite", false, "read every value and name the tensors with NaN or infinity")
	cmd.Flags().BoolVar(&strict, "strict", false, "as --finite, and fail if there are any")
	return cmd
}

// inspection is what inspect finds.
type inspection struct {
	File     string            `json:"file"`
	Model    string            `json:"model,omitempty"`
	Naming   string            `json:"naming,omitempty"`
	Tensors  []inspectedTensor `json:"tensors"`
	Elements int               `json:"elements"`
	Bytes    int               `json:"bytes"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Bad      []string          `json:"not_finite,omitempty"`
}

type inspectedTensor struct {
	Name  string       `json:"name"`
	DType string       `json:"dtype"`
	Shape tensor.Shape `json:"shape"`
}

func (a *app) inspect(path string, finite, strict bool) (err error) {
	src, err := weights.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	r := inspection{File: path, Metadata: weights.Metadata(src), Tensors: []inspectedTensor{}}
	family, names := weights.Detect(src)
	if family != "" {
		r.Model, r.Naming = family, names.Naming
	}
	for _, n := range src.Names() {
		info, err := weights.Describe(src, n)
		if err != nil {
			return err
		}
		r.Tensors = append(r.Tensors, inspectedTensor{n, info.DType.String(), info.Shape})
		r.Elements += info.Elems()
		r.Bytes += info.Elems() * info.DType.Size()
	}
	if finite {
		if r.Bad, err = weights.Finite(src); err != nil {
			return err
		}
	}
	if err := a.printInspection(&r, finite); err != nil {
		return err
	}
	if strict && len(r.Bad) > 0 {
		return fmt.Errorf("%s: %d tensors hold NaN or infinity", path, len(r.Bad))
	}
	return nil
}

func (a *app) printInspection(r *inspection, finite bool) error {
	if a.json {
		return a.printJSON(r)
	}
	w, flush := a.buffered()
	for _, t := range r.Tensors {
		fmt.Fprintf(w, "%-5s %-22v %s\n", t.DType, t.Shape, t.Name)
	}
	model := "not a model this program knows"
	if r.Model != "" {
		model = r.Model
		if r.Naming != "" {
			model += ", " + r.Naming + " names"
		}
	}
	fmt.Fprintf(w, "%d tensors, %d values, %s: %s\n", len(r.Tensors), r.Elements, size(r.Bytes), model)
	for _, n := range r.Bad {
		fmt.Fprintf(w, "not finite: %s\n", n)
	}
	if finite && len(r.Bad) == 0 {
		fmt.Fprintln(w, "all values are finite")
	}
	return flush()
}
