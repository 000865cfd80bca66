//! /sys.
