#!/usr/bin/env node
import { main } from "../src/main/kerb.ts";

process.exitCode = await main(process.argv.slice(2));
