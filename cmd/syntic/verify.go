package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"syntic/tools/verify"
)

func newVerify(a *app) *cobra.Command {
	var only string
	cmd := &cobra.Command{
		Use:   "verify DIR",
		Short: "Replay reference tensors and compare",
		Long: `Replay a folder of golden tensors (inputs and outputs of the Hugging Face
implementations) and print a line per case: id, relative error, tolerance, pass
or fail. The exit code is 1 if a case fails or none matches. With another
--precision than f32 models have a larger tolerance, and texts that differ are not
compared.`,
		Args: exactly(1, "a folder of golden tensors"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.verify(cmd.Context(), args[0], only) },
	}
	cmd.Flags().StringVar(&only, "only", "", "only the cases whose id matches this `REGEX`")
	return cmd
}

// leastTolerance is what whole models may err in halves, of the results' norm. GPUs
// keep values in halves too: the goldens show up to 3.5e-3 and 2.8e-2.
func (a *app) leastTolerance() float64 {
	if least, ok := map[string]float64{"bf16": verify.BF16, "int8": verify.Int8}[a.precision]; ok && a.device == "cpu" {
		return least
	}
	return map[string]float64{"f16": 8e-3, "bf16": 4e-2}[a.precision]
}

func (a *app) verify(ctx context.Context, dir, only string) (err error) {
	filter, err := regexp.Compile(only)
	if err != nil {
		return usagef("--only: %v", err)
	}
	passed, failed, skipped := 0, 0, 0
	var printErr error
	err = verify.Run(ctx, dir, verify.Options{Only: filter, Least: a.leastTolerance(), Device: a.openDevice}, func(r verify.Result) {
		word := "pass"
		switch {
		case r.Skipped:
			skipped++
			word = "skip"
		case r.Pass:
			passed++
		default:
			failed++
			word = "FAIL"
		}
		if a.json {
			printErr = errors.Join(printErr, a.printJSON(r))
			return
		}
		_, err := fmt.Fprintf(a.out, "%s  %-40s %9.2e  tolerance %8.2e  %s\n", word, r.ID, r.RelErr, r.Tol, r.Note)
		printErr = errors.Join(printErr, err)
	})
	if err = errors.Join(err, printErr); err != nil {
		return err
	}
	if passed+failed+skipped == 0 {
		return fmt.Errorf("%s: no case matches %q", dir, only)
	}
	if !a.json && !a.quiet {
		fmt.Fprintf(a.err, "%d passed, %d failed", passed, failed)
		if skipped > 0 {
			fmt.Fprintf(a.err, ", %d skipped", skipped)
		}
		fmt.Fprintln(a.err)
	}
	if failed > 0 {
		return errReported
	}
	return nil
}
